package runtimetest

import (
	"errors"
	"testing"

	"github.com/itechsmart/vm/runtime/agent"
)

// testForeignFolders: no run has folders or files made for it where the VM's
// ordinary user has no business, whoever that is to the kernel.
func testForeignFolders(t *testing.T, s *suite) {
	m := s.shared(t)
	for _, dir := range []string{"../foreign", "/etc/foreign", "/tmp/../etc/foreign/deeper", "/foreign"} {
		run := m.program("describe")
		run.Dir = dir
		if _, err := m.client.Run(bounded(t), run, nil); !errors.Is(err, agent.ErrInvalid) {
			t.Errorf("working directory %s: %v, want ErrInvalid", dir, err)
		}
	}
	for _, file := range []string{"../foreign", "/etc/foreign", "/etc/passwd"} {
		run := m.program("describe")
		run.Files = []agent.File{{Path: file, Data: []byte("x")}}
		if _, err := m.client.Run(bounded(t), run, nil); !errors.Is(err, agent.ErrInvalid) {
			t.Errorf("file %s: %v, want ErrInvalid", file, err)
		}
	}
	// What is there may be gone to, and what is below /tmp is the user's.
	for _, dir := range []string{"/proc", "/tmp/own", "/tmp/own/deeper", "below"} {
		run := m.program("describe")
		run.Dir = dir
		expect(t, m.run(t, run), agent.Exited, 0)
	}
}
