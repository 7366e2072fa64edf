package guest_test

import (
	"os/exec"
	"strconv"
	"testing"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/guest"
)

// BenchmarkSpawn is what the smallest program costs without any agent.
func BenchmarkSpawn(b *testing.B) {
	for b.Loop() {
		if err := exec.Command("/bin/true").Run(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTrue is the round trip of the smallest program.
func BenchmarkTrue(b *testing.B) {
	c := connect(b, newGuest(b, guest.Config{}))
	n := 0
	for b.Loop() {
		n++
		res, err := c.Run(b.Context(), agent.Run{ID: strconv.Itoa(n), Command: []string{"/bin/true"}}, nil)
		if err != nil || res.Verdict != agent.Exited || res.ExitCode != 0 {
			b.Fatalf("%+v, %v", res, err)
		}
	}
}

// BenchmarkOutput is how fast a program's output reaches the sink.
func BenchmarkOutput(b *testing.B) {
	const size = 100 << 20
	c := connect(b, newGuest(b, guest.Config{}))
	b.SetBytes(size)
	n := 0
	for b.Loop() {
		n++
		got := 0
		run := agent.Run{ID: strconv.Itoa(n), Command: []string{"head", "-c", strconv.Itoa(size), "/dev/zero"}}
		_, err := c.Run(b.Context(), run, func(_ agent.Stream, p []byte) { got += len(p) })
		if err != nil || got != size {
			b.Fatalf("%d bytes, %v", got, err)
		}
	}
}
