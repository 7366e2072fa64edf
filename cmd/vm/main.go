// Command vm runs code in sandboxes: for a terminal, and for editors through
// vm serve.
package main

import "os"

func main() { os.Exit(run(os.Args[1:])) }
