package guest

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// spawner is the one thread of a supervisor that starts programs. They inherit
// what a thread has to itself: its priority, and the control group that it may
// be in for a moment. It lives as long as the supervisor, since they are told to
// die with it.
type spawner struct{ work chan func() }

// newSpawner starts the thread. Programs step back by nice, as of nice(2), behind
// the guest and the supervisor.
func newSpawner(nice int) *spawner {
	s := &spawner{make(chan func())}
	go func() {
		runtime.LockOSThread()
		if nice > 0 {
			_ = unix.Setpriority(unix.PRIO_PROCESS, 0, nice) // of this thread; stepping back is never refused
		}
		for f := range s.work {
			f()
		}
	}()
	return s
}

// do calls f on the thread, and returns when it has.
func (s *spawner) do(f func()) {
	done := make(chan struct{})
	s.work <- func() {
		f()
		close(done)
	}
	<-done
}
