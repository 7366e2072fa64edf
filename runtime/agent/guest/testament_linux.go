package guest

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// testament is what a supervisor has said on its standard error, which it does
// only when it dies of something.
type testament struct{ *os.File }

func newTestament() (testament, error) {
	fd, err := unix.MemfdCreate("supervisor", unix.MFD_CLOEXEC)
	if err != nil {
		return testament{}, os.NewSyscallError("memfd_create", err)
	}
	return testament{os.NewFile(uintptr(fd), "supervisor")}, nil
}

// mostWords of a supervisor are logged, in bytes.
const mostWords = 16 << 10

// bury logs the words, and reports whether the supervisor died because it got no
// thread: Go's runtime aborts then, with pages that tell nobody anything.
func (w testament) bury(log io.Writer) (starved bool) {
	said := make([]byte, mostWords)
	n, _ := w.ReadAt(said, 0) // what can be read of it
	w.Close()
	said = said[:n]
	noThread := func(words string) bool { return bytes.Contains(said, []byte(words)) }
	switch {
	case noThread("failed to create new OS thread"), noThread("pthread_create failed"):
		fmt.Fprintln(log, "a supervisor ended: the process limit of this VM left it no thread")
		return true
	case n > 0:
		fmt.Fprintf(log, "a supervisor ended: %s\n", bytes.TrimSpace(said))
	}
	return false
}
