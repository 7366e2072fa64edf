package main

import (
	"os"
	"strings"
	"testing"
)

func TestInterruptRemovesTheVMsOfAMatrix(t *testing.T) {
	env := sandbox(t)
	p := startProgram(t, env, "batch", "--matrix", "bash", "echo ready; sleep 300")
	if line := p.line(t); line != "bash │ ready\n" {
		t.Fatalf("first line %q", line)
	}
	if list := output(t, env, "list", "-q"); !strings.HasPrefix(list, "bash-") {
		t.Fatalf("VMs while it runs: %q", list)
	}
	if err := p.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := p.end(t); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	if list := output(t, env, "list", "-q"); list != "" {
		t.Errorf("left afterwards: %q", list)
	}
}
