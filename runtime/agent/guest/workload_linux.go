package guest

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// workload is a supervisor's way into the control group of the programs, and
// back into the guest's own: descriptors of the files that a thread writes to.
// The zero workload is of a machine where both are one.
//
// Only the thread that forks goes there, for the moment of the fork. What looks
// after the programs is outside, so that no fork bomb and no want of memory
// keeps it from its work.
type workload struct{ enter, leave []int }

// inheritedWorkload is that of a supervisor, in so many files each way from
// descriptor first.
func inheritedWorkload(first, files int) workload {
	w := workload{}
	for i := range files {
		w.enter = append(w.enter, first+i)
		w.leave = append(w.leave, first+files+i)
	}
	return w
}

// of the configuration, which may have none.
func (c Config) workload() workload {
	if c.Workload == nil {
		return workload{}
	}
	return workload{c.Workload.Enter, c.Workload.Leave}
}

// programsFolder is where below CgroupRoot the programs' group is shown.
func (c Config) programsFolder() string {
	if c.Workload == nil {
		return ""
	}
	return c.Workload.Folder
}

// descriptors are what inheritedWorkload expects, in that order.
func (w workload) descriptors() []uintptr {
	var fds []uintptr
	for _, fd := range slices.Concat(w.enter, w.leave) {
		fds = append(fds, uintptr(fd))
	}
	return fds
}

// within calls f while the calling thread, the spawner's, is in the group of the
// programs. Stuck tells that the thread could not come back.
func (w workload) within(f func() (int, error)) (pid int, stuck bool, err error) {
	defer func() { stuck = move(w.leave) != nil }()
	if err := move(w.enter); err != nil {
		return 0, false, fmt.Errorf("join the programs' control group: %w", err)
	}
	pid, err = f()
	return pid, false, err
}

// move the calling thread; cgroups(7): 0 is who writes.
func move(files []int) error {
	for _, fd := range files {
		if _, err := unix.Pwrite(fd, []byte{'0'}, 0); err != nil {
			return err
		}
	}
	return nil
}
