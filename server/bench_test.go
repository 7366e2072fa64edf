package server

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/itechsmart/vm/handlers"
)

// BenchmarkRoundTrip sends a request that does nothing through pipes of the
// system and waits for its answer.
func BenchmarkRoundTrip(b *testing.B) {
	serverIn, in := pipe(b)
	out, serverOut := pipe(b)
	done := make(chan error, 1)
	go func() {
		_, err := Serve(context.Background(), Stdio(serverIn, serverOut), func() handlers.Dispatcher { return newLab() }, Options{})
		done <- err
	}()
	r := bufio.NewReader(out)
	ask := func(message string) {
		if _, err := in.WriteString(framed(message)); err != nil {
			b.Fatal(err)
		}
		if _, err := readFrame(r); err != nil {
			b.Fatal(err)
		}
	}
	ask(initialize)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ask(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"nothing","params":{}}`, i))
	}
	_ = in.Close()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

func pipe(b *testing.B) (r, w *os.File) {
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		// The server has closed its ends already.
		_ = r.Close()
		_ = w.Close()
	})
	return r, w
}
