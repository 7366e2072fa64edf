package handlers_test

import (
	"strings"
	"testing"
)

// Changed settings lie over the options of initialize, field by field, as these
// lie over the environment and the file.
func TestChangedSettingsKeepWhatTheyDoNotName(t *testing.T) {
	c := dial(t, newOpener(t))
	c.request(`{"method":"initialize","params":{"initializationOptions":{"user":"ada"}}}`)
	c.send(`{"jsonrpc":"2.0","method":"initialized","params":{}}`)
	c.request(`{"method":"vm/create","params":{"name":"a","language":"probe"}}`)
	c.send(`{"jsonrpc":"2.0","method":"workspace/didChangeConfiguration","params":{"settings":{"itechsmart":{"limits":{"memory":64}}}}}`)
	answers := c.request(`{"method":"vm/list"}`)
	if answer := answers[len(answers)-1]; !strings.Contains(answer, `"name":"a","user":"ada"`) {
		t.Errorf("vm/list = %s, want ada's VM", answer)
	}
}
