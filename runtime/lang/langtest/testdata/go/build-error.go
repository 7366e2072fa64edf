package main

func main() {
	boom()
}
