package guest

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
)

const (
	// drainQuiet: a program has ended and left descendants that hold its
	// outputs; when they print nothing for so long, the run is over.
	drainQuiet = 50 * time.Millisecond
	// drainLimit: and when they go on printing, it is over after so long.
	drainLimit = 100 * time.Millisecond
	// escapeLimit bounds the wait for the end of the outputs of a tree that is
	// dead: only a process outside it can still hold them.
	escapeLimit = time.Second
	// liveSpan is how far a program may run ahead of its slowest follower, at
	// least; a larger record lets it run further.
	liveSpan = 256 << 10
	// chunk is how much output is read at once.
	chunk = 32 << 10
)

var chunks = sync.Pool{New: func() any { return new([chunk]byte) }}

// pump reads a program's outputs into the records until they end. The returned
// channel is closed then.
func (r *run) pump(proc Process) <-chan struct{} {
	done := make(chan struct{})
	var both sync.WaitGroup
	for i, out := range []io.Reader{proc.Stdout(), proc.Stderr()} {
		both.Go(func() {
			buf := chunks.Get().(*[chunk]byte)
			defer chunks.Put(buf)
			for {
				n, err := out.Read(buf[:])
				if n > 0 {
					r.append(i, buf[:n])
				}
				if err != nil {
					return
				}
			}
		})
	}
	go func() {
		both.Wait()
		close(done)
	}()
	return done
}

// append adds output to a record. It waits while that would take bytes from a
// follower that it has not had: so a slow reader presses back on the program.
// Once the program is dead it takes memory instead, which what is left in a pipe
// bounds.
func (r *run) append(stream int, p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := &r.out[stream]
	for !r.hurry && !r.sealed && r.roomLocked(stream) < len(p) {
		r.changed.Wait()
	}
	if r.sealed {
		return
	}
	for f := range r.followers {
		out.extend(len(p), f.pos[stream])
	}
	out.write(p)
	r.order.add(stream, out.total)
	r.writes++
	r.changed.Broadcast()
}

// roomLocked is how much a stream can take before a follower loses something.
func (r *run) roomLocked(stream int) int {
	room := chunk
	for f := range r.followers {
		room = min(room, r.out[stream].room(f.pos[stream]))
	}
	return room
}

// setHurry stops or starts waiting for followers.
func (r *run) setHurry(hurry bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hurry = hurry
	r.changed.Broadcast()
}

// drain waits for the end of the outputs, or for a moment without any, but no
// longer than limit.
func (r *run) drain(pumps <-chan struct{}, limit time.Duration) {
	select {
	case <-pumps:
		return
	default:
	}
	deadline := time.After(limit)
	quiet := time.NewTicker(drainQuiet)
	defer quiet.Stop()
	for seen := r.written(); ; {
		select {
		case <-pumps:
			return
		case <-deadline:
			return
		case <-quiet.C:
			now := r.written()
			if now == seen {
				return
			}
			seen = now
		}
	}
}

// within waits for done, but no longer than limit, and reports whether it came.
func within(limit time.Duration, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-time.After(limit):
		return false
	}
}

func (r *run) written() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writes
}

// confession is how much of the end of stderr is searched for an errno's words.
const confession = 4 << 10

// confessed is the disk limit when a failed program's last words name it, which
// alone prove nothing. The file system is often free again by the time that
// anybody looks: programs remove what they could not finish.
func (r *run) confessed() agent.Verdict {
	words := make([]byte, confession)
	out := &r.out[1]
	n, _ := out.read(words, max(0, out.total-confession))
	words = bytes.ToLower(words[:n])
	for _, text := range []string{"no space left on device", "disk quota exceeded"} {
		if bytes.Contains(words, []byte(text)) {
			return agent.DiskFull
		}
	}
	if r.spec.FileSize > 0 && bytes.Contains(words, []byte("file too large")) {
		return agent.DiskFull
	}
	return ""
}

// interleaving remembers in which order two streams were written, for as many
// turns as matters to a follower that keeps up.
type interleaving struct {
	marks []mark
	first int // number of marks[0] since the beginning
}

// mark: stream was written up to position end before the next mark's was.
type mark struct {
	stream int
	end    int64
}

// turns is how many marks are kept.
const turns = 1024

func (o *interleaving) add(stream int, end int64) {
	if n := len(o.marks); n > 0 && o.marks[n-1].stream == stream {
		o.marks[n-1].end = end
		return
	}
	if len(o.marks) == turns {
		n := copy(o.marks, o.marks[turns/2:])
		o.marks = o.marks[:n]
		o.first += turns / 2
	}
	o.marks = append(o.marks, mark{stream, end})
}

// next returns the first mark from number on that lies beyond pos, and its
// number. Every stream's last mark is always there, so that nothing is skipped.
func (o *interleaving) next(number int, pos [2]int64) (mark, int, bool) {
	for i := max(0, number-o.first); i < len(o.marks); i++ {
		if m := o.marks[i]; m.end > pos[m.stream] {
			return m, o.first + i, true
		}
	}
	return mark{}, number, false
}
