package guest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/itechsmart/vm/runtime/agent"
)

// kernel is a session's interpreter, from its start to its end.
type kernel struct {
	proc    Process
	says    chan []string // its messages that were not heard yet
	gone    chan struct{} // closed when it has ended and all that it said is in says; what follows is set then
	exit    Exit
	usage   Usage
	words   string      // the end of what it said on standard error
	ignored atomic.Bool // it was killed because it did not heed an interrupt
	counted Usage       // of its executions so far; of the session's turn
}

// maxUnheard is how many messages of a kernel may wait: it says two, begun and
// done, before it is spoken to again.
const maxUnheard = 2

// startKernel starts an interpreter. Its folder is removed when it ends.
func startKernel(starter Starter, p Program) (*kernel, error) {
	proc, err := starter.Start(p)
	if err != nil {
		starter.Discard(p.Scratch, p.Root)
		return nil, err
	}
	k := &kernel{proc: proc, says: make(chan []string, maxUnheard), gone: make(chan struct{})}
	var readers sync.WaitGroup
	readers.Go(k.listen)
	readers.Go(func() { k.words = lastWordsOf(proc.Stderr()) })
	read := make(chan struct{})
	go func() {
		readers.Wait()
		close(read)
	}()
	go func() {
		k.exit = proc.Wait()
		k.usage = proc.Finish(false)
		within(escapeLimit, read) // what it said last is in the pipe still
		proc.Close()
		<-read
		starter.Discard(p.Scratch, p.Root)
		close(k.gone)
	}()
	return k, nil
}

// listen keeps the kernel's messages for who will hear them. One that talks
// nonsense, or more than it was asked, is killed.
func (k *kernel) listen() {
	in := bufio.NewReader(k.proc.Stdout())
	for {
		fields, err := ReadFields(in)
		if err != nil {
			k.proc.Kill()
			return
		}
		select {
		case k.says <- fields:
		default:
			k.proc.Kill()
			return
		}
	}
}

// errGone: the kernel has ended while it was spoken to.
var errGone = errors.New("the interpreter has ended")

// hear waits for a message of a kind. What the kernel said before it ended is
// heard after its end too.
func (k *kernel) hear(kind string) ([]string, error) {
	var fields []string
	select {
	case fields = <-k.says:
	case <-k.gone:
		select {
		case fields = <-k.says:
		default:
			return nil, errGone
		}
	}
	if fields[0] == kind {
		return fields[1:], nil
	}
	k.proc.Kill()
	<-k.gone
	return nil, errGone
}

// request has the kernel begin to execute code. It has not begun when that fails.
func (k *kernel) request(fields []string) error {
	if err := WriteFields(k.proc.Stdin(), fields...); err != nil {
		k.proc.Kill()
		<-k.gone
		return errGone
	}
	_, err := k.hear("begun")
	return err
}

func (k *kernel) hasEnded() bool {
	select {
	case <-k.gone:
		return true
	default:
		return false
	}
}

// obituary says how the kernel ended, as the end of a sentence.
func (k *kernel) obituary() string {
	limits := map[agent.Verdict]string{
		agent.OutOfMemory: "killed at the memory limit",
		agent.DiskFull:    "stopped by the disk limit",
		agent.PidsLimit:   "stopped by the process limit",
	}
	switch {
	case k.ignored.Load():
		return fmt.Sprintf("killed because it ignored an interrupt for %s", interruptGrace)
	case limits[k.usage.Limit] != "":
		return limits[k.usage.Limit]
	case k.exit.Signal != 0:
		return "by " + signalName(k.exit.Signal)
	}
	return fmt.Sprintf("with exit code %d", k.exit.Code)
}

// lastWordsOf reads a stream to its end and returns its last 4 KiB.
func lastWordsOf(r io.Reader) string {
	const most = 4 << 10
	var last []byte
	buf := make([]byte, most)
	for {
		n, err := r.Read(buf)
		last = append(last, buf[:n]...)
		last = last[max(0, len(last)-most):]
		if err != nil {
			return strings.TrimSpace(string(last))
		}
	}
}
