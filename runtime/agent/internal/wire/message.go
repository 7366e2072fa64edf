package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// Greeting is the first message each way.
type Greeting struct {
	Version int `json:"version"`
}

// Order concerns one run that is there already.
type Order struct {
	ID      string `json:"id"`
	Signal  string `json:"signal,omitempty"`  // of Signal, such as SIGINT
	Verdict string `json:"verdict,omitempty"` // of Kill
	EOF     bool   `json:"eof,omitempty"`     // of Input
	Rows    uint16 `json:"rows,omitempty"`    // of Resize
	Cols    uint16 `json:"cols,omitempty"`    // of Resize
	Data    []byte `json:"data,omitempty"`    // of Input
}

// Bulk implements Bulky.
func (o *Order) Bulk() []*[]byte { return []*[]byte{&o.Data} }

// Target is what a program in the machine wants to be connected to.
type Target struct {
	Host string `json:"host"`
	Port int    `json:"port"`
}

// DialAnswer tells how a connection was made, or why not.
type DialAnswer struct {
	Failure string `json:"failure,omitempty"` // one line for a person; empty = connected
	Refused bool   `json:"refused,omitempty"` // by policy: trying again does not help
}

// Refusal is why a request failed.
type Refusal struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// Code of a Refusal, for programs.
type Code string

// Codes.
const (
	CodeExists   Code = "exists"
	CodeNotFound Code = "notFound"
	CodeInvalid  Code = "invalid"
	CodeStopped  Code = "stopped" // the answer to Stop
	CodeInternal Code = "internal"
)

// Bulky is a message with bytes that would be a waste to write as JSON. They
// travel raw behind it, in the order of Bulk.
type Bulky interface {
	// Bulk points at the byte slices. On the receiving side it is called after
	// the JSON has been decoded and must give as many.
	Bulk() []*[]byte
}

// Marshal encodes v as a frame with room for the header:
//
//	length of the JSON  uint32, big-endian
//	JSON
//	for each bulk slice: its length, uint32, and its bytes
//
// While it works, the bulk slices of v are set to nil.
func Marshal(v any) ([]byte, error) {
	if v == nil {
		return make([]byte, HeaderSize), nil
	}
	var bulk []*[]byte
	if b, ok := v.(Bulky); ok {
		bulk = b.Bulk()
	}
	kept := make([][]byte, len(bulk))
	size := HeaderSize + 4
	for i, p := range bulk {
		kept[i], *p = *p, nil
		size += 4 + len(kept[i])
	}
	text, err := json.Marshal(v)
	for i, p := range bulk {
		*p = kept[i]
	}
	if err != nil {
		return nil, err
	}
	frame := make([]byte, HeaderSize, size+len(text))
	frame = appendBytes(frame, text)
	for _, p := range kept {
		frame = appendBytes(frame, p)
	}
	return frame, nil
}

// Unmarshal decodes the payload of a message into v, a pointer. Bulk slices
// alias the payload.
func Unmarshal(payload []byte, v any) error {
	text, rest, err := cutBytes(payload)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if b, ok := v.(Bulky); ok {
		for _, p := range b.Bulk() {
			if *p, rest, err = cutBytes(rest); err != nil {
				return err
			}
		}
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: %d bytes after the message", ErrProtocol, len(rest))
	}
	return nil
}

func appendBytes(b, p []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
	return append(b, p...)
}

func cutBytes(b []byte) (p, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, fmt.Errorf("%w: message cut short", ErrProtocol)
	}
	n := int64(binary.BigEndian.Uint32(b))
	if b = b[4:]; n > int64(len(b)) {
		return nil, nil, fmt.Errorf("%w: message cut short", ErrProtocol)
	}
	if n == 0 {
		return nil, b, nil
	}
	return b[:n:n], b[n:], nil
}
