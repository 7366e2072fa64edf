package handlers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/itechsmart/vm/handlers"
)

// terminal is one that a connection has open, and what it has shown.
type terminal struct {
	*wire
	id    string
	text  string
	ended *handlers.TerminalExit
}

func openTerminal(t *testing.T, w *wire, params string) *terminal {
	t.Helper()
	term := &terminal{wire: w}
	answer := term.ask(fmt.Sprintf(`{"method":"vm/openTerminal","params":%s}`, params))
	var reply struct{ Result handlers.OpenTerminalResult }
	if err := json.Unmarshal([]byte(answer), &reply); err != nil || reply.Result.TerminalID == "" {
		t.Fatalf("not opened: %s", answer)
	}
	term.id = reply.Result.TerminalID
	return term
}

// ask sends a request and returns its answer; output that comes before it is
// taken.
func (term *terminal) ask(body string) string {
	answers := term.request(body)
	for _, notice := range answers[:len(answers)-1] {
		term.take(notice)
	}
	return answers[len(answers)-1]
}

func (term *terminal) take(body string) {
	var notice struct {
		Method string
		Params json.RawMessage
	}
	if err := json.Unmarshal([]byte(body), &notice); err != nil {
		term.t.Fatal(err)
	}
	if notice.Method != "vm/terminalOutput" {
		return
	}
	var output handlers.TerminalOutput
	if err := json.Unmarshal(notice.Params, &output); err != nil {
		term.t.Fatal(err)
	}
	term.text += output.Data
	term.ended = output.Exit
}

func (term *terminal) does(method, more string) {
	term.t.Helper()
	answer := term.ask(fmt.Sprintf(`{"method":"vm/%s","params":{"terminalId":%q%s}}`, method, term.id, more))
	if strings.Contains(answer, `"error"`) {
		term.t.Fatalf("%s: %s", method, answer)
	}
}

func (term *terminal) awaitText(want string) {
	term.t.Helper()
	for !strings.Contains(term.text, want) {
		if term.ended != nil {
			term.t.Fatalf("ended before %q: %q", want, term.text)
		}
		term.take(term.read())
	}
}

func (term *terminal) awaitEnd(want handlers.TerminalExit) {
	term.t.Helper()
	for term.ended == nil {
		term.take(term.read())
	}
	if *term.ended != want {
		term.t.Errorf("ended as %+v, want %+v", *term.ended, want)
	}
}

func initialized(t *testing.T, open handlers.Opener) *wire {
	t.Helper()
	w := dial(t, open)
	w.request(`{"method":"initialize","params":{"initializationOptions":{"user":"ada"}}}`)
	w.send(`{"jsonrpc":"2.0","method":"initialized","params":{}}`)
	return w
}

func TestTerminal(t *testing.T) {
	open := newOpener(t)
	first := initialized(t, open)
	first.request(`{"method":"vm/create","params":{"name":"one","language":"probe"}}`)
	term := openTerminal(t, first, `{"id":"one","rows":24,"cols":80}`)
	term.does("terminalInput", `,"data":"при"`)
	term.does("terminalInput", `,"data":"вет\n"`)
	term.awaitText("привет\r\n")
	term.does("terminalResize", `,"rows":50,"cols":132`)
	term.does("terminalInput", `,"data":"size\n"`)
	term.awaitText("50 rows, 132 columns\r\n")

	// Another connection joins, sees what was shown, and leaves it running.
	second := initialized(t, open)
	again := openTerminal(t, second, fmt.Sprintf(`{"terminalId":%q,"rows":10,"cols":20}`, term.id))
	again.awaitText("50 rows, 132 columns\r\n")
	again.does("terminalInput", `,"data":"size\n"`)
	again.awaitText("10 rows, 20 columns\r\n")
	term.awaitText("10 rows, 20 columns\r\n")
	again.does("terminalInput", `,"data":"exit 3\n"`)
	again.awaitEnd(handlers.TerminalExit{Verdict: "exited", ExitCode: 3})
	term.awaitEnd(handlers.TerminalExit{Verdict: "exited", ExitCode: 3})
}

// Opened anew on the same connection, a terminal is shown once.
func TestTerminalOpenedAgain(t *testing.T) {
	w := initialized(t, newOpener(t))
	w.request(`{"method":"vm/create","params":{"name":"one","language":"probe"}}`)
	term := openTerminal(t, w, `{"id":"one","rows":24,"cols":80}`)
	term.awaitText("$ ")
	again := openTerminal(t, w, fmt.Sprintf(`{"terminalId":%q,"rows":24,"cols":80}`, term.id))
	again.awaitText("$ ")
	again.does("terminalInput", `,"data":"x\nexit 0\n"`)
	again.awaitEnd(handlers.TerminalExit{Verdict: "exited"})
	if strings.Count(again.text, "x\r\n") != 1 {
		t.Errorf("shown: %q", again.text)
	}
}

func TestTerminalClosed(t *testing.T) {
	for method, verdict := range map[string]string{"closeTerminal": "cancelled", "stop": "vmStopped"} {
		t.Run(method, func(t *testing.T) {
			w := initialized(t, newOpener(t))
			w.request(`{"method":"vm/create","params":{"name":"one","language":"probe"}}`)
			term := openTerminal(t, w, `{"id":1,"rows":24,"cols":80}`)
			term.awaitText("$ ")
			if method == "stop" {
				term.ask(`{"method":"vm/stop","params":{"id":"one","force":true}}`)
				// Its shell's end and the VM's race to be told first.
				for term.ended == nil {
					term.take(term.read())
				}
				if v := term.ended.Verdict; v != verdict && v != "cancelled" {
					t.Errorf("ended as %+v", *term.ended)
				}
				return
			}
			term.does(method, "")
			term.awaitEnd(handlers.TerminalExit{Verdict: verdict, ExitCode: 137})
		})
	}
}

func TestTerminalRefused(t *testing.T) {
	w := initialized(t, newOpener(t))
	w.request(`{"method":"vm/create","params":{"name":"one","language":"probe"}}`)
	for params, want := range map[string]string{
		`"vm/openTerminal","params":{"id":"one","rows":0,"cols":80}`:                     `"field":"rows"`,
		`"vm/openTerminal","params":{"id":"one","rows":24,"cols":70000}`:                 `"field":"cols"`,
		`"vm/openTerminal","params":{"id":"one","cols":80}`:                              `"field":"rows"`,
		`"vm/openTerminal","params":{"rows":24,"cols":80}`:                               `"field":"id"`,
		`"vm/openTerminal","params":{"id":"one","terminalId":"1-x","rows":24,"cols":80}`: `"field":"id"`,
		`"vm/openTerminal","params":{"terminalId":"1-x","rows":24,"cols":80}`:            `"kind":"notFound"`,
		`"vm/openTerminal","params":{"terminalId":"99-x","rows":24,"cols":80}`:           `"kind":"notFound"`,
		`"vm/openTerminal","params":{"terminalId":"?","rows":24,"cols":80}`:              `"kind":"notFound"`,
		`"vm/openTerminal","params":{"id":"one","rows":24,"cols":80,"shell":"a\u0000b"}`: `"field":"shell"`,
		`"vm/terminalInput","params":{"terminalId":"1-x","data":"x"}`:                    `"kind":"notFound"`,
		`"vm/terminalResize","params":{"terminalId":"1-x","rows":1,"cols":1}`:            `"kind":"notFound"`,
		`"vm/closeTerminal","params":{"terminalId":"1-x"}`:                               `"kind":"notFound"`,
	} {
		answers := w.request(`{"method":` + params + `}`)
		if got := answers[len(answers)-1]; !strings.Contains(got, want) {
			t.Errorf("%s: %s", params, got)
		}
	}
}

// What waits to be typed is bounded, and holds up nothing else.
func TestTerminalThatDoesNotRead(t *testing.T) {
	w := initialized(t, newOpener(t))
	w.request(`{"method":"vm/create","params":{"name":"one","language":"probe"}}`)
	term := openTerminal(t, w, `{"id":"one","rows":24,"cols":80,"shell":"print-forever"}`)
	paste := fmt.Sprintf(`{"method":"vm/terminalInput","params":{"terminalId":%q,"data":%q}}`, term.id, strings.Repeat("x", 300<<10))
	refused := false
	for range 8 {
		refused = refused || strings.Contains(term.ask(paste), `"kind":"busy"`)
	}
	if !refused {
		t.Error("eight large pastes were taken")
	}
	term.does("closeTerminal", "")
	term.awaitEnd(handlers.TerminalExit{Verdict: "cancelled", ExitCode: 137})
}
