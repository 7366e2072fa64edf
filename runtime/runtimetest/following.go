package runtimetest

import (
	"bytes"
	"context"
	goruntime "runtime"
	"testing"

	"github.com/itechsmart/vm/runtime/agent"
)

// another opens a second client to a machine, for one case.
func (m *machine) another(t *testing.T) *agent.Client {
	t.Helper()
	client, err := m.open(t.Context(), m.spec.Ref)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// testTwoClients runs programs over two streams at once: each gets its own
// output, and both may follow the same run.
func testTwoClients(t *testing.T, s *suite) {
	m := s.shared(t)
	clients := []*agent.Client{m.another(t), m.another(t)}
	greeter := m.program("greet")
	greeter.OpenStdin = true
	if err := clients[0].Start(t.Context(), greeter); err != nil {
		t.Fatal(err)
	}
	outputs := make(chan string, len(clients))
	for _, client := range clients {
		go func() {
			var own bytes.Buffer
			if _, err := client.Follow(t.Context(), greeter.ID, func(_ agent.Stream, p []byte) { own.Write(p) }); err != nil {
				t.Errorf("follow: %v", err)
			}
			outputs <- own.String()
		}()
	}
	for i, client := range clients {
		result, err := client.Run(t.Context(), m.program("print", "mine"), nil)
		if err != nil || string(result.Stdout.Head) != "mine\n" {
			t.Errorf("client %d: %v %s", i, err, describe(result))
		}
	}
	if err := clients[1].Input(t.Context(), greeter.ID, []byte("both\n"), true); err != nil {
		t.Fatal(err)
	}
	for range clients {
		if got := <-outputs; got != "ready\ngot both\n" {
			t.Errorf("followed %q", got)
		}
	}
}

// testClientDies: the run goes on, and a later client gets all of its output.
func testClientDies(t *testing.T, s *suite) {
	m := s.shared(t)
	mortal := m.another(t)
	run := m.program("greet")
	run.OpenStdin = true
	if err := mortal.Start(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	seen := make(chan struct{}, 1)
	gone := make(chan error, 1)
	go func() {
		_, err := mortal.Follow(t.Context(), run.ID, func(agent.Stream, []byte) {
			select {
			case seen <- struct{}{}:
			default:
			}
		})
		gone <- err
	}()
	select {
	case <-seen:
	case err := <-gone:
		t.Fatalf("follow: %v", err)
	}
	mortal.Close()
	if err := <-gone; err == nil {
		t.Error("following over a closed stream ended well")
	}
	if err := m.client.Input(t.Context(), run.ID, []byte("heir\n"), true); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	result, err := m.client.Follow(t.Context(), run.ID, func(_ agent.Stream, p []byte) { output.Write(p) })
	if err != nil {
		t.Fatal(err)
	}
	expect(t, result, agent.Exited, 0)
	if got := output.String(); got != "ready\ngot heir\n" {
		t.Errorf("replayed %q", got)
	}
}

// testSlowReader: while the reader stands still the program does too, and the
// machine serves others meanwhile.
func testSlowReader(t *testing.T, s *suite) {
	const mib = 64
	m := s.shared(t)
	run := m.program("flood", "64")
	stuck, release := make(chan struct{}), make(chan struct{})
	type ending struct {
		result agent.Result
		err    error
	}
	ended := make(chan ending, 1)
	total := 0
	go func() {
		result, err := m.client.Run(t.Context(), run, func(_ agent.Stream, p []byte) {
			if total == 0 {
				close(stuck)
				<-release
			}
			total += len(p)
		})
		ended <- ending{result, err}
	}()
	select {
	case <-stuck:
	case e := <-ended:
		t.Fatalf("ended without output: %v %s", e.err, describe(e.result))
	}
	for range 5 {
		m.probe(t, "print", "meanwhile")
	}
	m.probe(t, "cpu", "300ms", "1")
	if !m.running(t.Context(), t, run.ID) {
		t.Error("the program was not held back")
	}
	close(release)
	e := <-ended
	if e.err != nil {
		t.Fatal(e.err)
	}
	expect(t, e.result, agent.Exited, 0)
	if total != mib<<20 {
		t.Errorf("%d bytes came of %d", total, mib<<20)
	}
}

// running tells whether a run goes on.
func (m *machine) running(ctx context.Context, t *testing.T, id string) bool {
	t.Helper()
	runs, err := m.client.Runs(ctx)
	if err != nil {
		t.Fatalf("runs: %v", err)
	}
	for _, r := range runs {
		if r.ID == id {
			return r.Verdict == agent.Running
		}
	}
	t.Fatalf("run %s is not listed", id)
	return false
}

// testNoReader: without a reader nothing holds the program back; the record
// keeps both ends and says what is left out.
func testNoReader(t *testing.T, s *suite) {
	const mib = 32
	m := s.shared(t)
	run := m.program("flood", "32")
	if err := m.client.Start(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for m.running(ctx, t, run.ID) {
	}
	result, err := m.client.Follow(t.Context(), run.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, result, agent.Exited, 0)
	record := result.Stdout
	if len(record.Head) != agent.DefaultRecordBytes || len(record.Tail) != agent.DefaultRecordBytes ||
		record.Omitted != mib<<20-2*agent.DefaultRecordBytes {
		t.Errorf("record of %d MiB: head %d, tail %d, %d omitted", mib, len(record.Head), len(record.Tail), record.Omitted)
	}
	if !bytes.HasPrefix(record.Head, []byte("the quick")) || !bytes.HasSuffix(record.Tail, []byte("0123\n")) {
		t.Errorf("record from %.40q to %q", record.Head, record.Tail[max(0, len(record.Tail)-40):])
	}
}

// testGigabyte streams a gigabyte and looks at what this process holds.
func testGigabyte(t *testing.T, s *suite) {
	const (
		most     = 100 << 20
		lookEach = 64 << 20
	)
	m := s.shared(t)
	total, next, peak := 0, 0, uint64(0)
	result := m.runTo(t, m.program("flood", "1024"), func(_ agent.Stream, p []byte) {
		if total += len(p); total >= next {
			next += lookEach
			var stats goruntime.MemStats
			goruntime.ReadMemStats(&stats)
			peak = max(peak, stats.HeapInuse+stats.StackInuse)
		}
	})
	expect(t, result, agent.Exited, 0)
	if total != 1<<30 {
		t.Errorf("%d bytes came of %d", total, 1<<30)
	}
	if peak > most {
		t.Errorf("held %d MiB", peak>>20)
	}
	t.Logf("1 GiB in %s, holding %d MiB", result.Wall, peak>>20)
}
