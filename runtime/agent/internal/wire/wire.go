// Package wire frames what client and guest say to each other on one duplex
// byte stream.
package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// A frame is a header of nine bytes and its payload:
//
//	length of the payload  uint32, big-endian
//	kind                   uint8
//	channel                uint32, big-endian
//
// The client picks a fresh channel for each request; the guest answers on it,
// once, with Reply or Failure, and the channel is free again. Hello is the first
// frame each way, the client's first. Message means JSON with bulk, see Marshal.
//
//	kind      way     payload
//	Hello     both    message Greeting
//	Start     → guest message agent.Run: start it
//	Run       → guest message agent.Run: start it and follow it, in one
//	Follow    → guest message Order: replay and follow it; answered when it ended
//	Input     → guest message Order
//	Signal    → guest message Order
//	Kill      → guest message Order
//	Forget    → guest message Order
//	Resize    → guest message Order
//	Runs      → guest none
//	Stats     → guest none
//	Sessions  → guest none
//	CloseSession → guest message Order, with the session's name as ID
//	Stop      → guest none: stop following on this channel; Failure follows
//	Cancel    → guest none: kill the run of this channel; its Reply follows
//	Credit    → guest uint32: so much more output may come on this channel
//	Stdout    → host  bytes of the run followed on this channel
//	Stderr    → host  the same
//	Reply     → host  message: agent.Result, []agent.Result, agent.Stats,
//	                  []agent.SessionState or null
//	Failure   → host  message Refusal
//
// A client may offer to connect to hosts for the machine, which has no network
// of its own. The guest then opens tunnels; it numbers them, apart from the
// channels above. Either end may hang up at any time; frames for a tunnel that
// one end has given up are on their way still and are dropped.
//
//	Offer     → guest none, channel 0: the client connects for this machine
//	Dial      → host  message Target: open a tunnel to it
//	Dialled   → guest message DialAnswer
//	Data      both    bytes of the tunnel
//	Grant     both    uint32: so much more of it may come
//	Shut      both    none: no more Data comes from this end
//	HangUp    both    none: the tunnel is over
//
// Data is sent only against credit, as output is, of TunnelWindow at first.
//
// Output is sent only against credit, which starts at Window for each followed
// run; a frame costs Cost of its payload.
const (
	Hello Kind = 1 + iota
	Start
	Run
	Follow
	Input
	Signal
	Kill
	Forget
	Runs
	Stats
	Stop
	Cancel
	Credit
	Stdout
	Stderr
	Reply
	Failure
	Sessions
	CloseSession
	Resize
	Offer
	Dial
	Dialled
	Data
	Grant
	Shut
	HangUp
)

// Kind of a frame.
type Kind uint8

const (
	// HeaderSize of every frame in bytes.
	HeaderSize = 9
	// MaxData is the largest payload of an output frame and of a Data frame.
	MaxData = 64 << 10
	// Window is the credit that a followed run starts with.
	Window = 256 << 10
	// TunnelWindow is the credit that each way of a tunnel starts with.
	TunnelWindow = 64 << 10
	// MaxTunnels is how many tunnels a guest has open at once through a client.
	MaxTunnels = 128
	// MaxToGuest bounds a frame that a guest takes: the code and files of one
	// run, which an editor sends in at most 64 MiB.
	MaxToGuest = 72 << 20
	// MaxToHost bounds a frame that a client takes, so that a guest gone bad
	// cannot fill the server: the record of one run, or a list of runs.
	MaxToHost = 16 << 20
)

// frameCost is what a frame costs beyond its payload, so that a flood of tiny
// frames cannot hold more memory than the window says.
const frameCost = 64

// Cost of an output frame with n bytes of payload.
func Cost(n int) int { return n + frameCost }

// ErrProtocol: the peer broke the rules above; the stream is of no more use.
var ErrProtocol = errors.New("agent protocol violated")

// Frame as it was read.
type Frame struct {
	Kind    Kind
	Channel uint32
	Payload []byte // the receiver's own
}

// Conn reads and writes frames. One goroutine reads; any may write.
type Conn struct {
	stream io.ReadWriteCloser
	in     *bufio.Reader
	limit  int

	writing sync.Mutex
}

// NewConn frames a stream; frames with a payload beyond limit are refused.
func NewConn(stream io.ReadWriteCloser, limit int) *Conn {
	return &Conn{stream: stream, in: bufio.NewReaderSize(stream, 16<<10), limit: limit}
}

// Close closes the stream; blocked reads and writes fail.
func (c *Conn) Close() error { return c.stream.Close() }

// Read returns the next frame. It fails with ErrProtocol for a frame that is
// too large, without having read it.
func (c *Conn) Read() (Frame, error) {
	var header [HeaderSize]byte
	if _, err := io.ReadFull(c.in, header[:]); err != nil {
		return Frame{}, err
	}
	f := Frame{Kind: Kind(header[4]), Channel: binary.BigEndian.Uint32(header[5:])}
	size := int64(binary.BigEndian.Uint32(header[:]))
	limit := int64(c.limit)
	if f.Kind == Stdout || f.Kind == Stderr || f.Kind == Data {
		limit = MaxData
	}
	if size > limit {
		return Frame{}, fmt.Errorf("%w: frame of kind %d with %d bytes", ErrProtocol, f.Kind, size)
	}
	var err error
	f.Payload, err = c.payload(int(size))
	return f, err
}

// trusted is how much memory a peer gets on its word alone.
const trusted = 1 << 20

// payload reads size bytes, taking memory no faster than they arrive.
func (c *Conn) payload(size int) ([]byte, error) {
	p := make([]byte, 0, min(size, trusted))
	for len(p) < size {
		if len(p) == cap(p) {
			grown := make([]byte, len(p), min(size, 2*cap(p)))
			copy(grown, p)
			p = grown
		}
		n, err := io.ReadFull(c.in, p[len(p):cap(p)])
		p = p[:len(p)+n]
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return p, nil
}

// Write sends a frame whose payload starts at frame[HeaderSize]; the header is
// filled in here. The frame goes out in one write of the stream.
func (c *Conn) Write(kind Kind, channel uint32, frame []byte) error {
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-HeaderSize))
	frame[4] = byte(kind)
	binary.BigEndian.PutUint32(frame[5:], channel)
	c.writing.Lock()
	defer c.writing.Unlock()
	_, err := c.stream.Write(frame)
	return err
}

// Send marshals v and writes it as a frame. Nil sends an empty payload.
func (c *Conn) Send(kind Kind, channel uint32, v any) error {
	frame, err := Marshal(v)
	if err != nil {
		return err
	}
	return c.Write(kind, channel, frame)
}

// SendCredit grants n more bytes of output on a channel.
func (c *Conn) SendCredit(channel uint32, n int) error { return c.sendNumber(Credit, channel, n) }

// SendGrant grants n more bytes of data on a tunnel.
func (c *Conn) SendGrant(tunnel uint32, n int) error { return c.sendNumber(Grant, tunnel, n) }

func (c *Conn) sendNumber(kind Kind, channel uint32, n int) error {
	frame := make([]byte, HeaderSize+4)
	binary.BigEndian.PutUint32(frame[HeaderSize:], uint32(n))
	return c.Write(kind, channel, frame)
}

// ParseCredit reads the payload of a Credit or Grant frame. It is never above
// Window.
func ParseCredit(p []byte) (int, error) {
	if len(p) != 4 {
		return 0, fmt.Errorf("%w: credit of %d bytes", ErrProtocol, len(p))
	}
	n := binary.BigEndian.Uint32(p)
	if n > Window {
		return 0, fmt.Errorf("%w: credit of %d", ErrProtocol, n)
	}
	return int(n), nil
}
