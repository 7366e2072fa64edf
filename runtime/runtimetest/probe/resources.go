//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/itechsmart/vm/runtime/runtimetest/report"
)

func read(args []string) error {
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(os.Stdout, f)
	return err
}

func write(args []string) error {
	mib, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	fmt.Println("writing")
	f, err := os.Create(args[0])
	if err != nil {
		return err
	}
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(i * 31) // not zeros: they might be stored as a hole
	}
	for range mib {
		if _, err := f.Write(block); err != nil {
			if len(args) > 2 {
				err = errors.Join(err, os.Remove(args[0]))
			}
			return err
		}
	}
	return f.Close()
}

func remove(args []string) error { return os.Remove(args[0]) }

func memory(args []string) error {
	mib, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	fmt.Println("allocating")
	var blocks [][]byte
	for range mib {
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += os.Getpagesize() {
			block[i] = 1
		}
		blocks = append(blocks, block)
	}
	fmt.Println("allocated", len(blocks))
	return nil
}

func oomStorm(args []string) error {
	fmt.Println("allocating")
	for range 4 {
		go func() {
			for {
				_ = exec.Command("/proc/self/exe", "memory", args[0]).Run() // that it is killed is the point
			}
		}()
	}
	forever()
	return nil
}

func cpu(args []string) error {
	d, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	threads, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	begin, used := time.Now(), processorTime()
	done := make(chan struct{})
	for range threads {
		go func() {
			for time.Since(begin) < d {
			}
			done <- struct{}{}
		}()
	}
	for range threads {
		<-done
	}
	return json.NewEncoder(os.Stdout).Encode(report.CPU{
		Wall: time.Since(begin).Seconds(),
		Used: (processorTime() - used).Seconds(),
	})
}

// processorTime that this process has used, in user and system.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
