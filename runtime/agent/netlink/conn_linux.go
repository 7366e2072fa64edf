package netlink

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	goruntime "runtime"

	"golang.org/x/sys/unix"
)

// Message is a request, or an answer to one.
type Message struct {
	Type  uint16
	Flags uint16 // besides NLM_F_REQUEST and NLM_F_ACK, which are added
	Body  []byte // the family's fixed header and Attributes
}

// Conn is a socket that speaks to one netlink family in one network namespace.
// It is used by one goroutine at a time.
type Conn struct {
	fd       int
	sequence uint32
}

// answerTimeout bounds the wait for the kernel, which answers within the request
// itself.
const answerTimeout = 10 // seconds

// Open opens a socket in the caller's network namespace; protocol is one of
// unix.NETLINK_…. It is the caller's to close.
func Open(protocol int) (*Conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	c := &Conn{fd: fd}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, errors.Join(fmt.Errorf("open a netlink socket: %w", err), c.Close())
	}
	// Answers need not repeat their requests: they would not fit into the
	// socket's buffer together.
	if err := unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1); err != nil {
		return nil, errors.Join(fmt.Errorf("open a netlink socket: %w", err), c.Close())
	}
	timeout := unix.Timeval{Sec: answerTimeout}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return nil, errors.Join(fmt.Errorf("open a netlink socket: %w", err), c.Close())
	}
	return c, nil
}

// OpenIn opens a socket in another network namespace and calls each of further
// there, such as to write what of /proc/sys belongs to the namespace.
func OpenIn(namespace *os.File, protocol int, further ...func() error) (*Conn, error) {
	type opened struct {
		conn *Conn
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		// The thread is not unlocked: it ends with the goroutine, and with it what
		// has been done to it.
		goruntime.LockOSThread()
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- opened{err: fmt.Errorf("enter a network namespace: %w", err)}
			return
		}
		for _, f := range further {
			if err := f(); err != nil {
				done <- opened{err: err}
				return
			}
		}
		conn, err := Open(protocol)
		done <- opened{conn, err}
	}()
	o := <-done
	return o.conn, o.err
}

// Close closes the socket. What was asked for has been done.
func (c *Conn) Close() error { return os.NewSyscallError("close", unix.Close(c.fd)) }

// Do sends requests at once and returns why the first that failed did, as a
// unix.Errno.
func (c *Conn) Do(requests ...Message) error {
	first := c.sequence + 1
	var out []byte
	for _, r := range requests {
		r.Flags |= unix.NLM_F_ACK
		out = append(out, c.encode(r)...)
	}
	return c.exchange(out, first, len(requests))
}

// Ask sends a request that has one answer and returns that.
func (c *Conn) Ask(request Message) (Message, error) {
	if err := c.send(c.encode(request)); err != nil {
		return Message{}, err
	}
	for {
		answers, err := c.receive()
		if err != nil {
			return Message{}, err
		}
		for _, a := range answers {
			if a.sequence != c.sequence {
				continue
			}
			if a.Type == unix.NLMSG_ERROR {
				return Message{}, a.errno()
			}
			return a.Message, nil
		}
	}
}

// Batch sends requests that the kernel does all or none of, between the two
// messages that say so to a family such as the packet filter's.
func (c *Conn) Batch(begin, end Message, requests ...Message) error {
	out := c.encode(begin)
	first := c.sequence + 1
	for _, r := range requests {
		r.Flags |= unix.NLM_F_ACK
		out = append(out, c.encode(r)...)
	}
	return c.exchange(append(out, c.encode(end)...), first, len(requests))
}

// exchange sends requests and waits for count answers, the first of which has the
// number first.
func (c *Conn) exchange(out []byte, first uint32, count int) error {
	if err := c.send(out); err != nil {
		return err
	}
	var failed error
	for pending := count; pending > 0; {
		answers, err := c.receive()
		if err != nil {
			return errors.Join(failed, err)
		}
		for _, a := range answers {
			if a.Type != unix.NLMSG_ERROR || a.sequence < first-1 {
				continue
			}
			if err := a.errno(); err != nil && failed == nil {
				failed = err
			}
			if a.sequence < first { // the batch as a whole was refused: nothing else is answered
				return failed
			}
			pending--
		}
	}
	return failed
}

func (c *Conn) send(out []byte) error {
	if err := unix.Sendto(c.fd, out, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask the kernel: %w", err)
	}
	return nil
}

// encode numbers a request and writes it down.
func (c *Conn) encode(m Message) []byte {
	c.sequence++
	out := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(m.Body)))
	out = binary.NativeEndian.AppendUint16(out, m.Type)
	out = binary.NativeEndian.AppendUint16(out, m.Flags|unix.NLM_F_REQUEST)
	out = binary.NativeEndian.AppendUint32(out, c.sequence)
	out = binary.NativeEndian.AppendUint32(out, 0) // from: the kernel knows
	return pad(append(out, m.Body...))
}

// answer is a message from the kernel, by the number of what it answers.
type answer struct {
	Message
	sequence uint32
}

// errno is what an answer of the type NLMSG_ERROR says; nil = done.
func (a answer) errno() error {
	if len(a.Body) < 4 {
		return unix.EBADMSG
	}
	if number := int32(binary.NativeEndian.Uint32(a.Body)); number != 0 {
		return unix.Errno(-number)
	}
	return nil
}

// receive reads what there is, at least one message.
func (c *Conn) receive() ([]answer, error) {
	buffer := make([]byte, 64<<10)
	var n int
	for {
		var err error
		n, _, err = unix.Recvfrom(c.fd, buffer, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("hear from the kernel: %w", err)
		}
		break
	}
	var answers []answer
	for rest := buffer[:n]; len(rest) >= unix.NLMSG_HDRLEN; {
		length := int(binary.NativeEndian.Uint32(rest))
		if length < unix.NLMSG_HDRLEN || length > len(rest) {
			return nil, fmt.Errorf("hear from the kernel: %w", unix.EBADMSG)
		}
		answers = append(answers, answer{
			Message: Message{
				Type: binary.NativeEndian.Uint16(rest[4:]), Flags: binary.NativeEndian.Uint16(rest[6:]),
				Body: rest[unix.NLMSG_HDRLEN:length],
			},
			sequence: binary.NativeEndian.Uint32(rest[8:]),
		})
		rest = rest[min(aligned(length), len(rest)):]
	}
	return answers, nil
}
