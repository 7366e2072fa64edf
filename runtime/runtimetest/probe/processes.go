//go:build linux

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// fork makes a bare copy of this process with one thread, in which Go's runtime
// does not work any more: only raw system calls do.
func fork() (pid uintptr, errno syscall.Errno) {
	pid, _, errno = syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	return pid, errno
}

func forkBomb([]string) error {
	fmt.Println("forking")
	for count := 0; ; count++ {
		pid, errno := fork()
		if errno != 0 {
			return fmt.Errorf("%d processes, then: %w", count, errno)
		}
		if pid == 0 {
			for {
				syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
			}
		}
	}
}

func forkStorm([]string) error {
	fmt.Println("forking")
	for {
		fork()
	}
}

// daemonize leaves a grandchild in a session of its own, and its standard output
// with it. It says "ready" when the grandchild is there.
func daemonize(args []string) error {
	lingering, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	child := exec.Command("/proc/self/exe", append([]string{"hop"}, args[0])...)
	child.Stdout = os.Stdout
	child.ExtraFiles = []*os.File{theirs}
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Run(); err != nil {
		return err
	}
	if _, err := bufio.NewReader(lingering).ReadByte(); err != nil {
		return err
	}
	fmt.Println("ready")
	if len(args) > 1 {
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		forever()
	}
	return nil
}

func hop(args []string) error {
	child := exec.Command("/proc/self/exe", "linger", args[0])
	child.Stdout = os.Stdout
	child.ExtraFiles = []*os.File{os.NewFile(3, "lingering")}
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return child.Start()
}

func linger([]string) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	lingering := os.NewFile(3, "lingering")
	if _, err := lingering.Write([]byte{1}); err != nil {
		return err
	}
	lingering.Close()
	forever()
	return nil
}

func countLingering(args []string) error {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return err
	}
	count := 0
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		argv := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
		if len(argv) == 3 && argv[1] == "linger" && argv[2] == args[0] {
			count++
		}
	}
	fmt.Println(count)
	return nil
}
