package main

import "fmt"

func inner(list []int) int {
	return list[len(list)] // HERE
}

func outer() int {
	return inner([]int{1}) // FRAME
}

func main() {
	fmt.Println(outer()) // FRAME
}
