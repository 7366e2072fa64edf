package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/sourcegraph/jsonrpc2"
	"go.lsp.dev/protocol"

	"github.com/itechsmart/vm/handlers"
)

// maxBatch is how many messages a batch may hold.
const maxBatch = 1024

// kind of a message.
type kind int

const (
	invalid kind = iota // none of the others: to be refused
	request
	notification
	response
)

// message is one JSON-RPC message as it came.
type message struct {
	kind   kind
	id     json.RawMessage // its JSON text; nil when there is none that could be answered
	method string
	params json.RawMessage // nil when absent or null
	result json.RawMessage // of a response
	fault  *jsonrpc2.Error // of a response
	refuse *wireError      // of an invalid one
	place  place           // of its reply, if it came in a batch
}

// wireError is a JSON-RPC error object.
type wireError struct {
	Code    int64           `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// envelope is the outermost object of a message. Decoding it validates the
// syntax of the whole text, and leaves the rest as text.
type envelope struct {
	Version protocol.LSPAny `json:"jsonrpc"`
	ID      protocol.LSPAny `json:"id"`
	Method  protocol.LSPAny `json:"method"`
	Params  protocol.LSPAny `json:"params"`
	Result  protocol.LSPAny `json:"result"`
	Error   protocol.LSPAny `json:"error"`
}

// parse splits a frame's body into messages. Those that are no JSON-RPC are of
// the kind invalid. It fails when the body as a whole is to be answered with one
// error.
func parse(body []byte) ([]message, *wireError) {
	text := bytes.TrimLeft(body, " \t\r\n")
	switch {
	case len(text) > 0 && text[0] == '{':
		m, err := parseObject(text)
		if err != nil {
			return nil, malformed(err)
		}
		return []message{m}, nil
	case len(text) > 0 && text[0] == '[':
		return parseArray(text)
	case json.Valid(text):
		return nil, invalidRequest("a message is a JSON object, or an array of them").refuse
	default:
		return nil, malformed(json.Unmarshal(text, new(any)))
	}
}

// parseArray parses a batch. Elements are looked at one by one, so that an array
// of millions is refused before it takes memory.
func parseArray(text []byte) ([]message, *wireError) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if _, err := decoder.Token(); err != nil {
		return nil, malformed(err)
	}
	var messages []message
	replies := &batch{}
	for decoder.More() {
		var element json.RawMessage
		if err := decoder.Decode(&element); err != nil {
			return nil, malformed(err)
		}
		if len(messages) == maxBatch {
			return nil, invalidRequest(fmt.Sprintf("a batch holds at most %d messages", maxBatch)).refuse
		}
		m, err := parseObject(element)
		if err != nil { // valid JSON by now, but no object
			m = invalidRequest("a message is a JSON object")
		}
		if m.kind == request || m.kind == invalid {
			m.place = replies.reserve()
		}
		messages = append(messages, m)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, malformed(err)
	}
	if rest := bytes.TrimSpace(text[decoder.InputOffset():]); len(rest) > 0 {
		return nil, malformed(fmt.Errorf("there are %d bytes after the end of the array", len(rest)))
	}
	if len(messages) == 0 {
		return nil, invalidRequest("a batch holds at least one message").refuse
	}
	return messages, nil
}

// parseObject parses one message. It fails only when text is no JSON object.
func parseObject(text []byte) (message, error) {
	var e envelope
	if err := protocol.Unmarshal(text, &e); err != nil {
		return message{}, err
	}
	m := classify(&e)
	if !utf8.Valid(text) {
		fault := malformed(fmt.Errorf("the text is not valid UTF-8"))
		m = message{id: m.id, refuse: fault}
		if !utf8.Valid(m.id) {
			m.id = nil
		}
	}
	return m, nil
}

// classify tells what kind of message an object is.
func classify(e *envelope) message {
	m := message{id: idOf(e.ID)}
	if e.Method == nil && (e.Result != nil || e.Error != nil) {
		m.kind, m.result, m.fault = response, json.RawMessage(e.Result), faultOf(e.Error)
		return m
	}
	switch {
	case string(e.Version) != `"2.0"`:
		return m.invalid(`"jsonrpc" must be "2.0"`)
	case len(e.Method) == 0 || e.Method[0] != '"':
		return m.invalid(`"method" must be a string`)
	case e.ID != nil && m.id == nil:
		return m.invalid(`"id" must be a string or an integer`)
	}
	if err := protocol.Unmarshal(e.Method, &m.method); err != nil {
		return m.invalid(`"method" must be a string`)
	}
	if string(e.Params) != "null" {
		m.params = json.RawMessage(e.Params)
	}
	m.kind = notification
	if m.id != nil {
		m.kind = request
	}
	return m
}

func (m message) invalid(why string) message {
	return message{id: m.id, refuse: &wireError{Code: handlers.CodeInvalidRequest, Message: "invalid request: " + why}}
}

func invalidRequest(why string) message { return message{}.invalid(why) }

func malformed(err error) *wireError {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	why := strings.TrimPrefix(err.Error(), "jsontext: ")
	return &wireError{Code: handlers.CodeParseError, Message: "malformed message: " + why}
}

var integer = regexp.MustCompile(`^-?[0-9]+$`)

// idOf returns an id that can be answered, or nil.
func idOf(id protocol.LSPAny) json.RawMessage {
	if len(id) > 0 && (id[0] == '"' || integer.Match(id)) {
		return json.RawMessage(id)
	}
	return nil
}

// idKey returns what tells ids apart: "a" is the same however it was escaped,
// and is not 'a number of the same digits'.
func idKey(id json.RawMessage) string {
	var s string
	if id[0] == '"' && json.Unmarshal(id, &s) == nil {
		return `"` + s
	}
	return string(id)
}

// faultOf decodes the error of a response; nil when there is none.
func faultOf(text protocol.LSPAny) *jsonrpc2.Error {
	if text == nil || string(text) == "null" {
		return nil
	}
	var fault wireError
	if err := protocol.Unmarshal(text, &fault); err != nil {
		fault = wireError{Code: handlers.CodeInternal, Message: "the client answered with an error that cannot be read"}
	}
	return &jsonrpc2.Error{Code: fault.Code, Message: fault.Message, Data: rawPointer(fault.Data)}
}

func rawPointer(text json.RawMessage) *json.RawMessage {
	if text == nil {
		return nil
	}
	return &text
}
