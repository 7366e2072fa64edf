package guest

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// zygote is a supervisor's hold on an interpreter that waits: a child of it, and
// so are the programs that are forked from it.
//
// They speak over pairs of sockets that keep messages apart. The zygote has one
// for requests, on descriptor 3, and says "ready" there once it waits. A request
// is a list of fields, each with a NUL behind it: the number of options, the most
// bytes of a file (0 = as many as there may be), the folder to be in, and the
// command; with it come the three streams and a channel of this program's own.
// There the program says its pid, waits for "g", and begins. One that cannot be
// forked as it would be started closes the channel instead. The zygote ends when
// nobody is there to ask any more.
type zygote struct {
	pid  int
	conn int // requests
}

const (
	// hatchLimit is how long an interpreter may take until it waits; a machine may
	// be busy.
	hatchLimit = 20 * time.Second
	// forkLimit is how long it may take to fork. A program of its user could have
	// stopped it.
	forkLimit = 2 * time.Second
	// maxRequest bounds a request in bytes; a program with longer arguments is
	// started.
	maxRequest = 96 << 10
)

// hatch starts the interpreter that a command's programs can be forked from, and
// tells when it waits, or that there is none.
func (s *supervisor) hatch(c *command, code []byte) error {
	s.bury()
	s.usage = report{}
	z, err := s.newZygote(c, code)
	if err != nil {
		s.killTree()
		return s.tell("hatched")
	}
	s.zygote = z
	return s.tell("hatched")
}

// bury ends the zygote, if there is one.
func (s *supervisor) bury() {
	if s.zygote != nil {
		s.killTree()
	}
}

// dismissZygote ends the zygote while something else lives.
func (s *supervisor) dismissZygote() {
	if s.zygote != nil {
		_ = unix.Kill(s.zygote.pid, unix.SIGKILL) // ours to reap: the pid is no other's
	}
}

// lost notes that the zygote was reaped.
func (s *supervisor) lost() {
	unix.Close(s.zygote.conn)
	s.zygote = nil
}

func (s *supervisor) newZygote(c *command, code []byte) (*zygote, error) {
	memory, err := unix.MemfdCreate("code", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("place the interpreter's code: %w", err)
	}
	file := os.NewFile(uintptr(memory), "code")
	defer file.Close()
	if _, err := file.Write(code); err != nil {
		return nil, fmt.Errorf("place the interpreter's code: %w", err)
	}
	if _, err := file.Seek(0, 0); err != nil {
		return nil, fmt.Errorf("place the interpreter's code: %w", err)
	}
	pair, err := channel(hatchLimit)
	if err != nil {
		return nil, err
	}
	defer unix.Close(pair[1])
	z := &zygote{conn: pair[0]}
	// Pipes with nobody at the other end: what an interpreter makes of its streams
	// when it starts, it makes of a program's.
	streams, err := newPipes(nil)
	if err == nil {
		var fds []int
		for _, stream := range streams.theirs {
			fds = append(fds, int(stream.Fd()))
		}
		fds = append(fds, pair[1], memory)
		s.spawner.do(func() { z.pid, err = s.fork(c, fds) })
		streams.Close()
		streams.closeTheirs()
	}
	if err == nil {
		_, err = hearOn(z.conn, hatchLimit)
	}
	if err != nil {
		unix.Close(z.conn)
		return nil, err
	}
	return z, nil
}

// errCold: the zygote does not fork this program.
var errCold = errors.New("the program cannot be forked")

// fork has the zygote fork a program and returns its pid. When it fails, nothing
// of the program has begun.
func (z *zygote) fork(c *command, fds []int) (int, error) {
	request := request(c)
	if len(request) > maxRequest {
		return 0, errCold
	}
	pair, err := channel(forkLimit)
	if err != nil {
		return 0, err
	}
	defer unix.Close(pair[0])
	rights := unix.UnixRights(fds[0], fds[1], fds[2], pair[1])
	err = unix.Sendmsg(z.conn, request, rights, nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
	unix.Close(pair[1])
	if err != nil {
		return 0, err
	}
	word, err := hearOn(pair[0], forkLimit)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(word)
	if err != nil {
		return 0, errCold
	}
	if st, ok := readStat(pid, make([]byte, 1024)); !ok || st.parent != os.Getpid() {
		return 0, errCold
	}
	return pid, unix.Sendto(pair[0], []byte("g"), unix.MSG_NOSIGNAL, nil)
}

func request(c *command) []byte {
	fields := append([]string{strconv.Itoa(c.Options), strconv.FormatInt(c.FileSize, 10), c.Dir}, c.Argv...)
	return []byte(strings.Join(fields, "\x00") + "\x00")
}

// channel makes a pair of sockets; the first waits no longer than limit.
func channel(limit time.Duration) ([2]int, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return pair, fmt.Errorf("channel: %w", err)
	}
	wait := unix.NsecToTimeval(int64(limit))
	if err := unix.SetsockoptTimeval(pair[0], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		unix.Close(pair[0])
		unix.Close(pair[1])
		return pair, fmt.Errorf("channel: %w", err)
	}
	return pair, nil
}

// hearOn waits for a message on a channel.
func hearOn(fd int, limit time.Duration) (string, error) {
	buf := make([]byte, 64)
	for deadline := time.Now().Add(limit); ; {
		n, err := unix.Read(fd, buf)
		switch {
		case err == unix.EINTR && time.Now().Before(deadline):
			continue
		case err != nil:
			return "", err
		case n == 0:
			return "", errCold
		}
		return string(buf[:n]), nil
	}
}

// onlyZygote reports whether the supervisor has no child but the zygote. The
// answer holds if nothing has ended while it was found: who descends from us and
// is not below another child of ours can vanish from the list of processes only by
// ending, and then is ours to reap.
func (s *supervisor) onlyZygote() bool {
	self := os.Getpid()
	for _, p := range processes() {
		if p.parent == self && p.pid != s.zygote.pid {
			return false
		}
	}
	return true
}
