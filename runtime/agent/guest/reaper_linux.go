package guest

import (
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// reaper starts the guest's children and learns of their ends. In a process that
// is the guest and nothing else every child is the guest's: there it also
// collects what is handed to it, and kills what a lost supervisor left.
type reaper struct {
	sole bool // the process is the guest's alone

	mu       sync.Mutex // guards children; held over fork, so that no end precedes its entry
	children map[int]chan struct{}
}

// newReaper returns a reaper. A sole one is told of children by collect.
func newReaper(sole bool) *reaper {
	return &reaper{sole: sole, children: make(map[int]chan struct{})}
}

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
	if !r.sole {
		go r.await(pid)
	}
	return pid, gone, nil
}

// await collects one child, in a process that has others which are not ours. The
// child stays a zombie until the lock is held, so that signal cannot miss it.
func (r *reaper) await(pid int) {
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
			break
		}
	}
	r.collectedLocked(pid)
}

// signal reaches a supervisor, unless it was reaped: then its pid may be
// another's.
func (r *reaper) signal(pid int, s unix.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.children[pid] != nil {
		_ = unix.Kill(pid, s)
	}
}

// collect takes every child that has ended, known or not. The lock keeps a child
// from being collected between its fork and its entry.
func (r *reaper) collect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid == 0 {
			return
		}
		r.collectedLocked(pid)
	}
}

func (r *reaper) collectedLocked(pid int) {
	if gone := r.children[pid]; gone != nil {
		delete(r.children, pid)
		close(gone)
	}
}

// pids are those of the supervisors.
func (r *reaper) pids() map[int]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	pids := make(map[int]bool, len(r.children))
	for pid := range r.children {
		pids[pid] = true
	}
	return pids
}

// wait returns when every supervisor has ended.
func (r *reaper) wait() {
	r.mu.Lock()
	children := slices.Collect(maps.Values(r.children))
	r.mu.Unlock()
	for _, gone := range children {
		<-gone
	}
}

// purge kills every child that is no supervisor, with all below it: the programs
// of a supervisor that was killed, which the kernel hands to its next subreaper.
// It returns when none is left, or after killPatience.
func (r *reaper) purge() {
	if !r.sole {
		return
	}
	pause := time.Millisecond
	for deadline := time.Now().Add(killPatience); time.Now().Before(deadline); pause *= 2 {
		strays := r.strays()
		if len(strays) == 0 {
			return
		}
		for _, root := range strays {
			_ = unix.Kill(root, unix.SIGSTOP)
			for pid := range stopTree(root) {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
			_ = unix.Kill(root, unix.SIGKILL)
		}
		time.Sleep(pause)
		r.collect()
	}
}

// strays are the children that are no supervisors. The processes are listed
// first: a supervisor forked meanwhile is not on the list, an earlier one known.
func (r *reaper) strays() []int {
	all := processes()
	known := r.pids()
	self := os.Getpid()
	var strays []int
	for _, p := range all {
		if p.parent == self && p.state != 'Z' && !known[p.pid] {
			strays = append(strays, p.pid)
		}
	}
	return strays
}
