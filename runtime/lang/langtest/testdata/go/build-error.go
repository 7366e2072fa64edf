package main

func main() {
	boom() // HERE
}
