package guest

import (
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// reaper starts the guest's children and learns of their ends. In a process that
// is the guest and nothing else it also collects, and kills, what the programs
// of a dead supervisor left to it.
type reaper struct {
	mu       sync.Mutex // guards children; held over fork, so that no end precedes it
	children map[int]chan struct{}
	alone    bool // the process is the guest's: every child is ours
}

func newReaper() *reaper { return &reaper{children: make(map[int]chan struct{})} }

// fork starts a process. The channel is closed when it was reaped.
func (r *reaper) fork(path string, argv []string, attr *syscall.ProcAttr) (int, <-chan struct{}, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return 0, nil, err
	}
	gone := make(chan struct{})
	r.children[pid] = gone
	if !r.alone {
		go func() {
			for {
				if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
					break
				}
			}
			r.collected(pid)
		}()
	}
	return pid, gone, nil
}

// collected notes a child's end and reports whether it was a known one.
func (r *reaper) collected(pid int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	gone, known := r.children[pid]
	if known {
		delete(r.children, pid)
		close(gone)
	}
	return known
}
