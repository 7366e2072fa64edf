//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// terminal tells about the terminal that it runs on.
func terminal([]string) error {
	for fd := range 3 {
		if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
			return fmt.Errorf("stream %d is no terminal: %w", fd, err)
		}
	}
	controlling, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer controlling.Close()
	name, err := os.Readlink("/proc/self/fd/0")
	if err != nil {
		return err
	}
	byName, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer byName.Close()

	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGWINCH)
	if err := printSize(); err != nil {
		return err
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- in.Text()
		}
	}()
	for {
		select {
		case <-changed:
			if err := printSize(); err != nil {
				return err
			}
		case line, ok := <-lines:
			if !ok || line == "quit" {
				return nil
			}
			fmt.Printf("got %s\n", line)
		}
	}
}

func printSize() error {
	size, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
	if err == nil {
		fmt.Printf("%d rows, %d columns\n", size.Row, size.Col)
	}
	return err
}
