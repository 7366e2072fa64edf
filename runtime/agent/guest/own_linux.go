package guest

import (
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// heed makes signals of no effect, except that SIGTERM calls stop. An init whose
// programs could send that, being of its own user, ignores it too: it ends when
// its VM is ended from outside.
func heed(stop func()) {
	ignored := make(chan os.Signal, 1) // full for ever after the first
	signal.Notify(ignored)
	if os.Getpid() == 1 && unix.Geteuid() != 0 {
		return
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, unix.SIGTERM)
	go func() {
		<-term
		stop()
	}()
}

// shrink keeps the process small: it holds little and waits most of the time.
func shrink() {
	debug.SetGCPercent(50)
	runtime.GOMAXPROCS(min(2, runtime.NumCPU()))
	warm(6)
}

// warm makes n threads to be at hand. At the machine's process limit no thread
// can be made, and Go ends a process that needs one and gets none.
func warm(n int) {
	var ready, done sync.WaitGroup
	release := make(chan struct{})
	ready.Add(n)
	for range n {
		done.Go(func() {
			runtime.LockOSThread() // a thread for this goroutine alone
			defer runtime.UnlockOSThread()
			ready.Done()
			<-release
		})
	}
	ready.Wait()
	close(release)
	done.Wait()
}

// closeInherited keeps what this process was started with from the programs.
func closeInherited() {
	if unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, name := range names {
		if fd, err := strconv.Atoi(name.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}

// protect makes the guest the last that the kernel takes for want of memory, and
// hides its memory from programs of its own user.
func protect() {
	score := openOOMScore()
	for _, s := range []int{-900, -500, 0} {
		if score.set(s) == nil {
			break
		}
	}
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) // hardening: the guest works without
}
