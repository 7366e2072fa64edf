package runtimetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime/agent"
)

// errand is the run of an errand.
func (m *machine) errand() agent.Run {
	run := m.program()
	run.Command, run.Env = nil, nil
	return run
}

// bounded is a context that ends when a step hangs.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// failsWith checks why something could not be done with a file.
func failsWith(t *testing.T, what string, err error, code agent.FileCode) {
	t.Helper()
	var failure *agent.FileError
	if !errors.As(err, &failure) || failure.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func testReadWrite(t *testing.T, s *suite) {
	m, ctx := s.shared(t), bounded(t)
	var every []byte
	for b := range 256 {
		every = append(every, byte(b))
	}
	big := bytes.Repeat(every, 16<<10) // 4 MiB
	for _, test := range []struct {
		path string
		data []byte
		mode uint32
		want uint32
	}{
		{"read-write/relative/новый file", every, 0, 0o644},
		{"read-write/relative/новый file", []byte("shorter"), 0o600, 0o600},
		{"read-write/relative/новый file", nil, 0, 0o600}, // keeps its mode
		{"/tmp/read-write/absolute", big, 0o755, 0o755},
	} {
		if err := m.client.WriteFile(ctx, m.errand(), test.path, test.data, test.mode); err != nil {
			t.Fatalf("write %s: %v", test.path, err)
		}
		info, data, err := m.client.ReadFile(ctx, m.errand(), test.path, 8<<20)
		if err != nil {
			t.Fatalf("read %s: %v", test.path, err)
		}
		if !bytes.Equal(data, test.data) || info.Size != int64(len(test.data)) || info.Mode != test.want || info.Type != agent.TypeFile {
			t.Errorf("%s: %d bytes, %+v; want %d bytes of mode %o", test.path, len(data), info, len(test.data), test.want)
		}
	}
	if got := m.probe(t, "read", "read-write/../read-write/./relative/новый file"); got != "" {
		t.Errorf("a program reads %q", got)
	}
	_, _, err := m.client.ReadFile(ctx, m.errand(), "/tmp/read-write/absolute", 4<<20-1)
	failsWith(t, "read more than the limit", err, agent.FileTooLarge)
	_, _, err = m.client.ReadFile(ctx, m.errand(), "/tmp/read-write/absent", 1)
	failsWith(t, "read what is not there", err, agent.FileNotFound)
	runs, err := m.client.Runs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range runs {
		if run.Verdict == agent.Running {
			t.Errorf("still there: %+v", run)
		}
	}
}

func testListRemove(t *testing.T, s *suite) {
	m, ctx := s.shared(t), bounded(t)
	for i := range 3 {
		if err := m.client.WriteFile(ctx, m.errand(), fmt.Sprintf("list/%d/file", i), []byte("four"), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	names := func(path string, limit int) (names []string, more bool) {
		list, err := m.client.ListFiles(ctx, m.errand(), path, limit)
		if err != nil {
			t.Fatalf("list %s: %v", path, err)
		}
		for _, f := range list.Files {
			names = append(names, fmt.Sprintf("%s %s %d", f.Type, f.Name, f.Size))
		}
		return names, list.More
	}
	if got, more := names("list", 3); more || !cmp.Equal(got, []string{"folder 0 0", "folder 1 0", "folder 2 0"}) {
		t.Errorf("list: %q, more: %v", got, more)
	}
	if got, more := names("list", 2); !more || len(got) != 2 {
		t.Errorf("two of three: %q, more: %v", got, more)
	}
	if got, _ := names("list/1/file", 9); !cmp.Equal(got, []string{"file file 4"}) {
		t.Errorf("a file: %q", got)
	}
	_, err := m.client.ListFiles(ctx, m.errand(), "list/none", 9)
	failsWith(t, "list what is not there", err, agent.FileNotFound)

	failsWith(t, "remove a full folder", m.client.RemoveFile(ctx, m.errand(), "list", false), agent.FileNotEmpty)
	for _, path := range []string{"list/0/file", "list"} {
		if err := m.client.RemoveFile(ctx, m.errand(), path, path == "list"); err != nil {
			t.Errorf("remove %s: %v", path, err)
		}
	}
	failsWith(t, "remove twice", m.client.RemoveFile(ctx, m.errand(), "list", false), agent.FileNotFound)
}

// testUnfitFiles reads and writes what would hang a careless server, or fill it.
func testUnfitFiles(t *testing.T, s *suite) {
	m, ctx := s.shared(t), bounded(t)
	m.probe(t, "trap", "/tmp/trap")
	const limit = 1 << 20
	for name, code := range map[string]agent.FileCode{
		"fifo": agent.FileUnfit, "to-fifo": agent.FileUnfit, "zero": agent.FileUnfit, ".": agent.FileUnfit,
		"sparse": agent.FileTooLarge, "loop": agent.FileFailed, "closed": agent.FileDenied,
	} {
		_, _, err := m.client.ReadFile(ctx, m.errand(), "/tmp/trap/"+name, limit)
		failsWith(t, "read "+name, err, code)
	}
	for _, name := range []string{"fifo", "."} {
		failsWith(t, "write "+name, m.client.WriteFile(ctx, m.errand(), "/tmp/trap/"+name, []byte("x"), 0), agent.FileUnfit)
	}
	failsWith(t, "write for root alone", m.client.WriteFile(ctx, m.errand(), "/proc/1/comm", []byte("x"), 0), agent.FileDenied)
	list, err := m.client.ListFiles(ctx, m.errand(), "/tmp/trap", 100)
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]agent.FileType{}
	for _, f := range list.Files {
		types[f.Name] = f.Type
	}
	if types["fifo"] != agent.TypeOther || types["out"] != agent.TypeLink || types["sparse"] != agent.TypeFile || len(types) != 7 {
		t.Errorf("listed: %v", types)
	}
	// Links go, and what they lead to stays.
	if err := m.client.RemoveFile(ctx, m.errand(), "/tmp/trap", true); err != nil {
		t.Errorf("remove: %v", err)
	}
	if _, err := m.client.ListFiles(ctx, m.errand(), "/etc", 100); err != nil {
		t.Errorf("/etc after the removal of a link to it: %v", err)
	}
	m.healthy(t)
}
