package guest

import (
	"os"
	"strconv"
	"strings"
)

// oomScore raises the likelihood that the kernel, out of memory, takes a program
// rather than its supervisor (proc(5), oom_score_adj).
type oomScore struct {
	file *os.File // opened early: a process that cannot be dumped may not later
	own  int
}

// oomRaise is how much likelier a program is taken.
const oomRaise = 500

func openOOMScore() *oomScore {
	f, err := os.OpenFile("/proc/self/oom_score_adj", os.O_RDWR, 0)
	if err != nil {
		return &oomScore{}
	}
	var buf [16]byte
	n, _ := f.Read(buf[:])
	own, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err != nil {
		f.Close()
		return &oomScore{}
	}
	return &oomScore{file: f, own: own}
}

func (o *oomScore) raise()   { _ = o.set(min(1000, max(0, o.own)+oomRaise)) }
func (o *oomScore) restore() { _ = o.set(o.own) }

// set may fail for want of privilege, and the rest goes on: the kernel then
// chooses by size, which mostly hits the right one too.
func (o *oomScore) set(score int) error {
	if o.file == nil {
		return os.ErrInvalid
	}
	_, err := o.file.WriteAt([]byte(strconv.Itoa(score)), 0)
	return err
}
