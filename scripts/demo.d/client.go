package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strconv"
	"sync"
)

// client speaks JSON-RPC 2.0 in the base protocol of LSP, as small as it can be
// written: what an editor's author would begin with.
type client struct {
	in    io.WriteCloser
	ended chan struct{} // closed when the server says no more

	writing sync.Mutex

	mu      sync.Mutex // guards what follows
	last    int
	waiting map[int]chan message
	output  map[string]func(chunk) // by partialResultToken
}

// message is a response or a notification.
type message struct {
	ID     *int            `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *failure        `json:"error"`
}

// failure is an error object.
type failure struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    struct {
		Kind string `json:"kind"`
		Hint string `json:"hint"`
	} `json:"data"`
}

func (f *failure) Error() string {
	text := fmt.Sprintf("%s (%s, %d)", f.Message, f.Data.Kind, f.Code)
	if f.Data.Hint != "" {
		text += "\nhint: " + f.Data.Hint
	}
	return text
}

// chunk is a piece of a program's output.
type chunk struct {
	ExecutionID int64  `json:"executionId"`
	Stream      string `json:"stream"`
	Text        string `json:"text"`
}

func newClient(in io.WriteCloser, out io.Reader) *client {
	c := &client{in: in, ended: make(chan struct{}), waiting: map[int]chan message{}, output: map[string]func(chunk){}}
	go c.read(bufio.NewReader(out))
	return c
}

// call sends a request and decodes its result. The server's error is a *failure.
func (c *client) call(ctx context.Context, method string, params, result any) error {
	c.mu.Lock()
	c.last++
	id, answer := c.last, make(chan message, 1)
	c.waiting[id] = answer
	c.mu.Unlock()
	if err := c.write(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params}); err != nil {
		return err
	}
	select {
	case m := <-answer:
		switch {
		case m.Error != nil:
			return m.Error
		case result == nil:
			return nil
		}
		return json.Unmarshal(m.Result, result)
	case <-c.ended:
		return errors.New("the server ended without an answer to " + method)
	case <-ctx.Done():
		return fmt.Errorf("no answer to %s: %w", method, context.Cause(ctx))
	}
}

func (c *client) notify(method string, params any) error {
	return c.write(map[string]any{"jsonrpc": "2.0", "method": method, "params": params})
}

func (c *client) write(m map[string]any) error {
	if m["params"] == nil {
		delete(m, "params")
	}
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	_, err = fmt.Fprintf(c.in, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return err
}

// onOutput has the output of the request with that partialResultToken told, in
// order, before its answer.
func (c *client) onOutput(token string, f func(chunk)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.output[token] = f
}

func (c *client) read(out *bufio.Reader) {
	defer close(c.ended)
	for {
		header, err := textproto.NewReader(out).ReadMIMEHeader()
		if err != nil {
			return
		}
		size, err := strconv.Atoi(header.Get("Content-Length"))
		if err != nil {
			return
		}
		body := make([]byte, size)
		if _, err := io.ReadFull(out, body); err != nil {
			return
		}
		var m message
		if err := json.Unmarshal(body, &m); err != nil {
			return
		}
		c.take(m)
	}
}

func (c *client) take(m message) {
	if m.Method == "$/progress" {
		c.takeProgress(m.Params)
		return
	}
	if m.ID == nil || m.Method != "" {
		return // vm/changed, vm/event, window/logMessage: for windows
	}
	c.mu.Lock()
	answer := c.waiting[*m.ID]
	delete(c.waiting, *m.ID)
	c.mu.Unlock()
	if answer != nil {
		answer <- m
	}
}

func (c *client) takeProgress(params json.RawMessage) {
	var p struct {
		Token string `json:"token"`
		Value chunk  `json:"value"`
	}
	if err := json.Unmarshal(params, &p); err != nil {
		return
	}
	c.mu.Lock()
	f := c.output[p.Token]
	c.mu.Unlock()
	if f != nil {
		f(p.Value)
	}
}
