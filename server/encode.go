package server

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/sourcegraph/jsonrpc2"
	"go.lsp.dev/protocol"
)

// payloadField is the extra field under which params travel through
// jsonrpc2.Conn as they are.
const payloadField = "payload"

func withPayload(params json.RawMessage) jsonrpc2.CallOption {
	return jsonrpc2.ExtraField(payloadField, params)
}

func payloadOf(req *jsonrpc2.Request) json.RawMessage {
	for _, field := range req.ExtraFields {
		if params, ok := field.Value.(json.RawMessage); ok && field.Name == payloadField {
			return params
		}
	}
	return nil
}

// encode returns the JSON text of params or of a result. Raw JSON is taken as it
// is; everything else goes through package protocol, which knows its own types
// wherever they are held.
func encode(v any) (json.RawMessage, error) {
	switch v := v.(type) {
	case nil:
		return json.RawMessage("null"), nil
	case json.RawMessage:
		if len(v) == 0 {
			return json.RawMessage("null"), nil
		}
		return v, nil
	}
	return protocol.Marshal(v)
}

// encodeRequest returns a request or notification as it goes over the wire.
func encodeRequest(req *jsonrpc2.Request, params json.RawMessage) []byte {
	b := make([]byte, 0, len(params)+len(req.Method)+64)
	b = append(b, `{"jsonrpc":"2.0",`...)
	if !req.Notif {
		b = append(b, `"id":`...)
		b = strconv.AppendUint(b, req.ID.Num, 10)
		b = append(b, ',')
	}
	b = append(b, `"method":`...)
	b = strconv.AppendQuote(b, req.Method)
	if len(params) > 0 {
		b = append(b, `,"params":`...)
		b = append(b, params...)
	}
	return append(b, '}')
}

// encodeResponse returns a reply from a handler as it goes over the wire.
func encodeResponse(id json.RawMessage, resp *jsonrpc2.Response) []byte {
	if resp.Error == nil {
		return encodeReply(id, *resp.Result, nil)
	}
	fault := &wireError{Code: resp.Error.Code, Message: resp.Error.Message}
	if resp.Error.Data != nil {
		fault.Data = *resp.Error.Data
	}
	return encodeReply(id, nil, fault)
}

// encodeReply returns a reply with a result or a fault; without id, it is null.
func encodeReply(id, result json.RawMessage, fault *wireError) []byte {
	if id == nil {
		id = json.RawMessage("null")
	}
	b := make([]byte, 0, len(id)+len(result)+128)
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	b = append(b, id...)
	if fault == nil {
		b = append(b, `,"result":`...)
		b = append(b, result...)
		return append(b, '}')
	}
	b = append(b, `,"error":`...)
	// A number, a string and valid JSON always encode.
	text, _ := protocol.Marshal(fault)
	b = append(b, text...)
	return append(b, '}')
}

// replyWeight is what a reply weighs in the outbox.
func replyWeight(resp *jsonrpc2.Response) int64 {
	if resp.Error == nil {
		return weigh(len(*resp.Result))
	}
	return weigh(len(resp.Error.Message))
}

func hasWorkDoneToken(params json.RawMessage) bool {
	return bytes.Contains(params, []byte(`"workDoneToken"`))
}
