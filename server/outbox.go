package server

import (
	"bufio"
	"context"
	"io"
	"strconv"
	"time"
)

const (
	// outboxSize bounds the bytes that wait for the client to read.
	outboxSize = 4 << 20
	// frameOverhead is what a frame weighs beside its payload.
	frameOverhead = 512
)

// outbox is the way out: one goroutine writes what others put in. While the
// client does not read, it fills up, and then those who want to send wait.
type outbox struct {
	*fifo[[]byte]
	w       io.Writer
	done    chan struct{}           // closed when the writer has ended
	failed  context.Context         // ends, with its cause, when writing failed
	failNow context.CancelCauseFunc // ends it
}

func newOutbox(w io.Writer) *outbox {
	o := &outbox{fifo: newFifo[[]byte](outboxSize), w: w, done: make(chan struct{})}
	o.failed, o.failNow = context.WithCancelCause(context.Background())
	return o
}

// weigh returns the weight of a frame with a payload of that many bytes.
func weigh(payload int) int64 { return int64(payload) + frameOverhead }

// send puts a whole message into the outbox, waiting for room.
func (o *outbox) send(ctx context.Context, body []byte) error {
	weight := weigh(len(body))
	if err := o.reserve(ctx, weight); err != nil {
		return err
	}
	return o.put(body, weight)
}

// run writes until the outbox is closed and empty, or writing fails.
func (o *outbox) run() {
	defer close(o.done)
	w := bufio.NewWriterSize(o.w, window)
	for {
		frame, ok := o.tryTake()
		if !ok {
			// Nothing else to send for the moment: what is there goes out.
			if err := w.Flush(); err != nil {
				o.fail(err)
				return
			}
			if frame, ok = o.take(); !ok {
				return
			}
		}
		if err := writeFrame(w, frame.value); err != nil {
			o.fail(err)
			return
		}
		o.release(frame.weight)
	}
}

func (o *outbox) fail(err error) {
	o.failNow(err)
	o.close()
}

// finish closes the outbox, and returns when everything in it is written, or
// after that time.
func (o *outbox) finish(limit time.Duration) {
	o.close()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-o.done:
	case <-timer.C:
	}
}

func writeFrame(w *bufio.Writer, body []byte) error {
	head := append(w.AvailableBuffer(), "Content-Length: "...)
	head = strconv.AppendInt(head, int64(len(body)), 10)
	head = append(head, "\r\n\r\n"...)
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(body)
	return err
}
