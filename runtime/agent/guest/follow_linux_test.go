package guest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/guest"
)

// A run outlives the client that began it; a later one gets it from its start.
func TestFollowAfterClientDeath(t *testing.T) {
	g := newGuest(t, guest.Config{})
	first := connect(t, g)
	begun := make(chan struct{})
	lost := make(chan error, 1)
	run := sh("orphan", "echo one; read x; echo two $x; exit 4")
	run.OpenStdin = true
	go func() {
		_, err := first.Run(t.Context(), run, func(agent.Stream, []byte) { close(begun) })
		lost <- err
	}()
	<-begun
	first.Close()
	if err := <-lost; !errors.Is(err, agent.ErrClosed) {
		t.Errorf("the dead client's run: %v", err)
	}
	<-first.Done()

	second := connect(t, g)
	runs, err := second.Runs(t.Context())
	if err != nil || len(runs) != 1 || runs[0].Verdict != agent.Running {
		t.Fatalf("got %+v, %v", runs, err)
	}
	if err := second.Input(t.Context(), "orphan", []byte("x\n"), true); err != nil {
		t.Error(err)
	}
	for range 2 { // live, and again when it has ended
		var got collector
		res, err := second.Follow(t.Context(), "orphan", got.sink)
		if err != nil || res.ExitCode != 4 || got.stdout.String() != "one\ntwo x\n" {
			t.Errorf("got %+v with %q, %v", res, &got.stdout, err)
		}
	}
	if _, err := second.Follow(t.Context(), "nobody", nil); !errors.Is(err, agent.ErrNotFound) {
		t.Errorf("followed nobody: %v", err)
	}
}

// Ending ctx ends the following alone.
func TestFollowStops(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	run := sh("on", "echo here; read x; echo there")
	run.OpenStdin = true
	if err := c.Start(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	_, err := c.Follow(ctx, "on", func(agent.Stream, []byte) { stop() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("stopped following: %v", err)
	}
	if err := c.Input(t.Context(), "on", nil, true); err != nil {
		t.Error(err)
	}
	if res, err := c.Follow(t.Context(), "on", nil); err != nil || string(res.Stdout.Head) != "here\nthere\n" {
		t.Errorf("got %s, %v", brief(res), err)
	}
}

// The record keeps both ends and says what it left out; live output is whole.
func TestRecordIsBounded(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	const lines = 300_000
	run := sh("long", fmt.Sprintf("seq %d; seq 5 >&2", lines))
	run.RecordBytes = 10
	var live collector
	res, err := c.Run(t.Context(), run, live.sink)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(live.stdout.String(), "\n"); n != lines {
		t.Errorf("%d lines came live", n)
	}
	out := res.Stdout
	if string(out.Head) != "1\n2\n3\n4\n5\n" || string(out.Tail) != "99\n300000\n" || out.Omitted != int64(live.stdout.Len())-20 {
		t.Errorf("record is %q … %q, %d omitted of %d", out.Head, out.Tail, out.Omitted, live.stdout.Len())
	}
	if e := res.Stderr; string(e.Head) != "1\n2\n3\n4\n5\n" || len(e.Tail) > 0 || e.Omitted != 0 {
		t.Errorf("record of stderr is %+v", e)
	}
	var replay collector
	if _, err := c.Follow(t.Context(), "long", replay.sink); err != nil {
		t.Fatal(err)
	}
	if got := replay.stdout.String(); got != "1\n2\n3\n4\n5\n99\n300000\n" {
		t.Errorf("replay is %q", got)
	}
}

// All followers get all of it, however different their paces.
func TestTwoClients(t *testing.T) {
	g := newGuest(t, guest.Config{})
	run := sh("both", "read x; seq 200000; seq 100000 >&2")
	run.OpenStdin = true
	if err := connect(t, g).Start(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var got [3]collector
	for i := range got {
		c := connect(t, g)
		attached := make(chan struct{})
		wg.Go(func() {
			n := 0
			close(attached)
			_, err := c.Follow(t.Context(), "both", func(s agent.Stream, p []byte) {
				if n++; i == 0 && n%4 == 0 { // this one asks for something else now and then
					if _, err := c.Runs(t.Context()); err != nil {
						t.Error(err)
					}
				}
				got[i].sink(s, p)
			})
			if err != nil {
				t.Error(err)
			}
		})
		<-attached
	}
	if err := connect(t, g).Input(t.Context(), "both", nil, true); err != nil {
		t.Error(err)
	}
	wg.Wait()
	for i := range got {
		if out, errs := strings.Count(got[i].stdout.String(), "\n"), strings.Count(got[i].stderr.String(), "\n"); out != 200000 || errs != 100000 {
			t.Errorf("follower %d got %d and %d lines", i, out, errs)
		}
	}
}

// What a program wrote to both streams by turns arrives by turns.
func TestOrderOfStreams(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	run := sh("turns", "for i in 1 2 3; do echo o$i; read x; echo e$i >&2; read x; done")
	run.OpenStdin = true
	var turns bytes.Buffer
	_, err := c.Run(t.Context(), run, func(_ agent.Stream, p []byte) {
		turns.Write(p)
		go c.Input(t.Context(), "turns", []byte("\n"), false)
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = "o1\ne1\no2\ne2\no3\ne3\n"
	if turns.String() != want {
		t.Errorf("live: %q", &turns)
	}
	turns.Reset()
	if _, err := c.Follow(t.Context(), "turns", func(_ agent.Stream, p []byte) { turns.Write(p) }); err != nil || turns.String() != want {
		t.Errorf("replayed: %q, %v", &turns, err)
	}
}

// A reader that stops holds its program back, and nothing else on the same
// connection.
func TestSlowReader(t *testing.T) {
	c := connect(t, newGuest(t, guest.Config{}))
	blocked, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	ended := make(chan agent.Result, 1)
	got := 0
	go func() {
		res, err := c.Run(t.Context(), sh("slow", "yes"), func(_ agent.Stream, p []byte) {
			once.Do(func() { close(blocked); <-release })
			got += len(p)
		})
		if err != nil {
			t.Error(err)
		}
		ended <- res
	}()
	<-blocked
	for i := range 3 { // others go on
		var other collector
		if _, err := c.Run(t.Context(), sh(fmt.Sprint("other", i), "seq 500000"), other.sink); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(other.stdout.String(), "\n"); n != 500000 {
			t.Errorf("the other run got %d lines", n)
		}
	}
	if err := c.Kill(t.Context(), "slow", agent.Cancelled); err != nil {
		t.Error(err)
	}
	if _, err := c.Follow(t.Context(), "slow", nil); err != nil { // until it is dead
		t.Error(err)
	}
	close(release)
	res := <-ended
	if total := len(res.Stdout.Head) + len(res.Stdout.Tail) + int(res.Stdout.Omitted); got != total || total > 2<<20 {
		t.Errorf("while nobody read %d bytes were written, of which %d came", total, got)
	}
}

// A follower that does not read and goes away un-blocks its program; one that
// stays does not keep a killed run from ending for others.
func TestStuckFollower(t *testing.T) {
	g := newGuest(t, guest.Config{})
	stuck := connect(t, g)
	blocked, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	hang := func(agent.Stream, []byte) { once.Do(func() { close(blocked); <-release }) }
	followed := make(chan error, 1)
	go func() {
		_, err := stuck.Run(t.Context(), sh("a", "yes"), hang)
		followed <- err
	}()
	<-blocked
	c := connect(t, g)
	if err := c.Kill(t.Context(), "a", agent.Timeout); err != nil {
		t.Fatal(err)
	}
	if res, err := c.Follow(t.Context(), "a", nil); err != nil || res.Verdict != agent.Timeout {
		t.Errorf("the run of the stuck follower: %v, %v", res.Verdict, err)
	}
	close(release)
	if err := <-followed; err != nil {
		t.Error(err)
	}

	blocked, release, once = make(chan struct{}), make(chan struct{}), sync.Once{}
	go func() {
		_, err := stuck.Run(t.Context(), sh("b", "head -c 50000000 /dev/zero"), hang)
		followed <- err
	}()
	<-blocked
	stuck.Close()
	if res, err := c.Follow(t.Context(), "b", nil); err != nil || res.Verdict != agent.Exited {
		t.Errorf("the run of the dead follower: %v, %v", res.Verdict, err)
	}
	close(release)
	if err := <-followed; !errors.Is(err, agent.ErrClosed) {
		t.Error(err)
	}
}

// A gigabyte passes without anybody holding it.
func TestGigabyte(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	c := connect(t, newGuest(t, guest.Config{}))
	got := 0
	var before, after heap
	before.read()
	res, err := c.Run(t.Context(), sh("g", "head -c 1000000000 /dev/zero"), func(_ agent.Stream, p []byte) { got += len(p) })
	after.read()
	if err != nil || got != 1_000_000_000 || res.Stdout.Omitted != 1_000_000_000-1<<20 {
		t.Errorf("%d bytes came, %d were left out of the record; %v", got, res.Stdout.Omitted, err)
	}
	if grown := after.peak - before.peak; grown > 32<<20 {
		t.Errorf("client and guest took %d MiB more from the system", grown>>20)
	}
}

// heap is what this process has taken from the system for its heap so far.
type heap struct{ peak int64 }

func (h *heap) read() {
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	h.peak = int64(m.HeapSys)
}
