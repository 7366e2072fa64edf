package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"sync"

	"github.com/sourcegraph/jsonrpc2"
	"go.lsp.dev/protocol"

	"github.com/itechsmart/vm/handlers"
)

// stream is the jsonrpc2.ObjectStream of a connection: frames on one side, single
// messages on the other. What is no message it answers by itself.
//
// jsonrpc2.Conn decodes a message's params into maps and encodes results four
// times over; it cannot hold every id. So it is given the skeleton of a message,
// and onReceive fills in the rest before anybody sees it; onSend catches what
// it sends before it is encoded. Conn calls onReceive right after ReadObject, in
// the same goroutine, and onSend right before WriteObject, under the same lock.
type stream struct {
	frames *frameReader
	out    *outbox
	open   *requests
	log    *slog.Logger
	closer io.Closer
	base   context.Context // of every request

	ended    context.Context // ends at the end of input
	endInput context.CancelFunc
	closed   chan struct{}
	once     sync.Once

	// Of the reading goroutine.
	rest    []message // of the current frame
	current message   // read last
	number  uint64    // its number, if it is a request

	// Under Conn's sending lock.
	request *jsonrpc2.Request  // being sent, or nil
	reply   *jsonrpc2.Response // being sent, or nil
}

func newStream(base context.Context, rwc io.ReadWriteCloser, out *outbox, log *slog.Logger) *stream {
	s := &stream{
		frames: newFrameReader(rwc), out: out, open: newRequests(), log: log,
		closer: rwc, base: base, closed: make(chan struct{}),
	}
	s.ended, s.endInput = context.WithCancel(context.Background())
	return s
}

// ReadObject gives Conn the skeleton of the next message. At the end of input
// it waits for Close, because Conn cannot send replies once it has returned.
func (s *stream) ReadObject(v any) error {
	for {
		m, ok := s.next()
		if !ok {
			s.endInput()
			<-s.closed
			return io.EOF
		}
		if skeleton := s.receive(m); skeleton != "" {
			return json.Unmarshal([]byte(skeleton), v)
		}
	}
}

// next returns the next message, or reports the end of input.
func (s *stream) next() (message, bool) {
	for len(s.rest) == 0 {
		body, err := s.frames.next()
		var broken *frameError
		switch {
		case errors.As(err, &broken):
			s.answer(place{}, nil, &wireError{Code: broken.code, Message: broken.message})
			continue
		case errors.Is(err, io.ErrUnexpectedEOF):
			s.answer(place{}, nil, &wireError{Code: handlers.CodeParseError, Message: "the input ended within a message"})
			return message{}, false
		case errors.Is(err, errUnframed):
			s.log.Warn("input given up", "error", err)
			return message{}, false
		case err != nil:
			return message{}, false
		}
		messages, fault := parse(body)
		if fault != nil {
			if fault.Code == handlers.CodeParseError {
				s.frames.malformed(body)
			}
			s.answer(place{}, nil, fault)
			continue
		}
		s.rest = messages
	}
	m := s.rest[0]
	s.rest[0] = message{}
	s.rest = s.rest[1:]
	return m, true
}

// receive returns the skeleton of a message for Conn, or "" when there is
// nothing for Conn in it.
func (s *stream) receive(m message) string {
	s.current, s.number = m, 0
	switch m.kind {
	case notification:
		return `{"method":""}`
	case request:
		in := newIncoming(s.base, m)
		in.id, in.token, in.place = m.id, workDoneToken(m.params), m.place
		if !s.open.add(in) {
			s.answer(m.place, m.id, &wireError{Code: handlers.CodeInvalidRequest, Message: fmt.Sprintf("a request of id %.40s is still open", m.id)})
			return ""
		}
		s.number = in.number
		return `{"method":"","id":0}`
	case response:
		number, err := strconv.ParseUint(string(m.id), 10, 64)
		if err != nil {
			s.log.Debug("response ignored", "id", string(m.id))
			return ""
		}
		return `{"result":0,"id":` + strconv.FormatUint(number, 10) + `}`
	default:
		s.answer(m.place, m.id, m.refuse)
		return ""
	}
}

// onReceive completes the message that Conn decoded from a skeleton.
func (s *stream) onReceive(req *jsonrpc2.Request, resp *jsonrpc2.Response) {
	if resp != nil {
		resp.Result, resp.Error = rawPointer(s.current.result), s.current.fault
		return
	}
	req.Method, req.Params = s.current.method, rawPointer(s.current.params)
	req.ID = jsonrpc2.ID{Num: s.number}
}

// answer sends an error that did not come from a handler.
func (s *stream) answer(at place, id json.RawMessage, fault *wireError) {
	reply := encodeReply(id, nil, fault)
	if at.batch != nil {
		at.fill(reply)
		reply = at.batch.take()
	}
	if reply != nil {
		// It fails only when nobody is there to be told.
		_ = s.out.send(context.Background(), reply)
	}
}

// onSend remembers what Conn is about to write.
func (s *stream) onSend(req *jsonrpc2.Request, resp *jsonrpc2.Response) {
	s.request, s.reply = req, resp
}

// WriteObject puts what onSend was shown into the outbox, for which its sender
// has reserved room (see sendReply and client.Notify); it never waits.
func (s *stream) WriteObject(any) error {
	req, resp := s.request, s.reply
	s.request, s.reply = nil, nil
	if req != nil {
		params := payloadOf(req)
		return s.out.put(encodeRequest(req, params), weigh(len(params)))
	}
	in := s.open.remove(resp.ID.Num)
	if in == nil {
		return fmt.Errorf("no request of number %d is open", resp.ID.Num)
	}
	reply := encodeResponse(in.id, resp)
	if in.place.batch != nil {
		in.place.fill(reply)
		return nil
	}
	return s.out.put(reply, replyWeight(resp))
}

// sendReply answers a request. It waits for room in the outbox; it fails when
// the client is gone.
func (s *stream) sendReply(conn *jsonrpc2.Conn, b *batch, resp *jsonrpc2.Response) error {
	ctx := context.Background()
	if b == nil {
		if err := s.out.reserve(ctx, replyWeight(resp)); err != nil {
			return err
		}
		return conn.SendResponse(ctx, resp)
	}
	if err := conn.SendResponse(ctx, resp); err != nil {
		return err
	}
	if whole := b.take(); whole != nil {
		return s.out.send(ctx, whole)
	}
	return nil
}

// Close ends reading; jsonrpc2.Conn calls it.
func (s *stream) Close() error {
	err := error(nil)
	s.once.Do(func() {
		close(s.closed)
		err = s.closer.Close()
	})
	return err
}

// workDoneToken returns the key of a request's work-done progress token, or "".
func workDoneToken(params json.RawMessage) string {
	if len(params) == 0 || params[0] != '{' || !hasWorkDoneToken(params) {
		return ""
	}
	var p struct {
		Token protocol.LSPAny `json:"workDoneToken"`
	}
	if err := protocol.Unmarshal(params, &p); err != nil || idOf(p.Token) == nil {
		return ""
	}
	return idKey(json.RawMessage(p.Token))
}
