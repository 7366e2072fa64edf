package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/itechsmart/vm/handlers"
)

// withProgress asks for work-done progress, which is shown as the status line.
var withProgress = handlers.Tokens{WorkDoneToken: json.RawMessage(`"progress"`)}

// client is this terminal as methods see it. It implements handlers.Client.
type client struct {
	status *statusLine

	mu sync.Mutex // held while output is shown: several programs may print at once
	// output takes what programs print; set before the call that they run in.
	output func(handlers.OutputChunk)
}

// Notify implements handlers.Client: progress is shown, the rest is for editors.
func (c *client) Notify(_ context.Context, method string, params any) error {
	if method != "$/progress" {
		return nil
	}
	raw, err := json.Marshal(params)
	if err != nil {
		return err
	}
	var notice struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(raw, &notice); err != nil {
		return err
	}
	return c.takeProgress(notice.Value)
}

// takeOutput shows what a program prints, byte for byte.
func (c *client) takeOutput(chunk handlers.OutputChunk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.output != nil {
		c.output(chunk)
	}
}

// takeProgress shows LSP's work-done progress.
func (c *client) takeProgress(value json.RawMessage) error {
	var progress struct {
		Kind       string   `json:"kind"`
		Title      string   `json:"title"`
		Message    string   `json:"message"`
		Percentage *float64 `json:"percentage"`
	}
	if err := json.Unmarshal(value, &progress); err != nil {
		return err
	}
	switch progress.Kind {
	case "begin":
		c.status.begin(progress.Title)
		c.status.step(progress.Message, progress.Percentage)
	case "report":
		c.status.step(progress.Message, progress.Percentage)
	case "end":
		c.status.end()
	}
	return nil
}

// Call implements handlers.Client: a terminal answers no requests.
func (c *client) Call(context.Context, string, any, any) error {
	return errors.New("a terminal answers no requests")
}
