//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/itechsmart/vm/runtime/runtimetest/report"
)

func printArgs(args []string) error {
	_, err := fmt.Println(strings.Join(args, " "))
	return err
}

func errArgs(args []string) error {
	_, err := fmt.Fprintln(os.Stderr, strings.Join(args, " "))
	return err
}

func split(args []string) error {
	for _, b := range []byte(args[0]) {
		if _, err := os.Stdout.Write([]byte{b}); err != nil {
			return err
		}
	}
	return nil
}

func flood(args []string) error {
	mib, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	line := []byte("the quick brown fox jumps over the lazy dog, and once more 0123\n")
	block := bytes.Repeat(line, 1<<20/len(line))
	for range mib {
		if _, err := os.Stdout.Write(block); err != nil {
			return err
		}
	}
	return nil
}

func cat([]string) error {
	_, err := io.Copy(os.Stdout, os.Stdin)
	return err
}

func greet([]string) error {
	fmt.Println("ready")
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return err
	}
	fmt.Print("got ", line)
	return nil
}

func exit(args []string) error {
	code, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	os.Exit(code)
	return nil
}

func raise(args []string) error {
	number, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := syscall.Kill(os.Getpid(), syscall.Signal(number)); err != nil {
		return err
	}
	forever()
	return nil
}

func sleep(args []string) error {
	d, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	fmt.Println("ready")
	time.Sleep(d)
	return nil
}

func describe(args []string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(report.Surroundings{
		Args: args, Env: os.Environ(), Dir: dir, UID: os.Getuid(), GID: os.Getgid(),
	})
}

func onTerm(args []string) error {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	fmt.Println("ready")
	<-term
	return os.WriteFile(args[0], []byte("heeded"), 0o644)
}
