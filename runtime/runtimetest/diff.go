package runtimetest

import (
	"context"
	"errors"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime"
)

// differ returns the driver as a Differ; every Snapshotter is one.
func (s *suite) differ(t *testing.T) runtime.Differ {
	t.Helper()
	s.snapshots(t)
	differ, is := s.driver.(runtime.Differ)
	if !is {
		t.Fatal("the driver takes snapshots and cannot tell them apart")
	}
	return differ
}

// changes are all differences between two states, in words, by path; contents of
// at most 64 bytes included.
func (m *machine) changes(t *testing.T, from, to string) (paths []string, changes map[string]string) {
	t.Helper()
	const limit = 64
	content := func(s *runtime.FileState) string {
		if s == nil {
			return "nothing"
		}
		if !s.Mode.IsRegular() {
			return s.Mode.String() + s.Target
		}
		data, err := s.Read(limit)
		if err != nil {
			return "much"
		}
		return s.Mode.String() + " " + strconv.Quote(string(data))
	}
	changes = map[string]string{}
	err := m.differ(t).Diff(bounded(t), m.spec.Ref, from, to, func(c runtime.FileChange) error {
		if changes[c.Path] != "" {
			t.Errorf("%s is told twice", c.Path)
		}
		paths = append(paths, c.Path)
		changes[c.Path] = content(c.Before) + " → " + content(c.After)
		return nil
	})
	if err != nil {
		t.Fatalf("diff of %q and %q: %v", from, to, err)
	}
	return paths, changes
}

// untold are the parts of a listing that are no difference: times, and under
// which other name a file is known.
var untold = regexp.MustCompile(` modified \S+ is "(\\.|[^"\\])*",`)

// listed is a listing by path, without what is no difference.
func (m *machine) listed(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for line := range strings.Lines(m.probe(t, "listing", folder)) {
		name, rest, _ := strings.Cut(line, " ")
		if quoted, err := strconv.QuotedPrefix(line); err == nil {
			rest = line[len(quoted):]
			if name, err = strconv.Unquote(quoted); err != nil {
				t.Fatal(err)
			}
		}
		files[name] = untold.ReplaceAllString(rest, "")
	}
	return files
}

// testDiffExact compares what a diff tells with what the machine itself sees, in
// both directions, of now and of snapshots, before and after a restoration.
func testDiffExact(t *testing.T, s *suite) {
	s.differ(t)
	const folder = "/tmp/kept"
	m := s.fresh(t, s.spec())
	m.probe(t, "tree", folder)
	before := m.listed(t, folder)
	m.take(t, "one")
	m.probe(t, "spoil", folder)
	after := m.listed(t, folder)
	want := map[string]bool{}
	for path := range before {
		want[path] = before[path] != after[path]
	}
	for path := range after {
		want[path] = before[path] != after[path]
	}
	expect := func(from, to string, differ bool) {
		t.Helper()
		paths, got := m.changes(t, from, to)
		for path, changed := range want {
			if told := got[path] != ""; told != (changed && differ) {
				t.Errorf("%q to %q: %s: told: %v (%s), changed from %q to %q", from, to, path, told, got[path], before[path], after[path])
			}
		}
		for i, path := range paths {
			if _, known := want[path]; !known {
				t.Errorf("%q to %q: %s has not changed: %s", from, to, path, got[path])
			}
			if i > 0 && byParts(paths[i-1], path) >= 0 {
				t.Errorf("%s comes before %s", paths[i-1], path)
			}
		}
	}
	expect("one", "", true)
	m.take(t, "two")
	expect("one", "two", true)
	expect("two", "one", true)
	expect("two", "", false)
	expect("one", "one", false)
	m.restore(t, "one")
	expect("one", "", false)
	expect("two", "", true)
	expect("", "two", true)
}

// byParts is the order in which a diff tells of paths.
func byParts(a, b string) int {
	separate := strings.NewReplacer("/", "\x00")
	return strings.Compare(separate.Replace(a), separate.Replace(b))
}

// testDiffContent reads both sides of a change, of a file as long as before and
// written in the same second.
func testDiffContent(t *testing.T, s *suite) {
	s.differ(t)
	m := s.fresh(t, s.spec())
	m.say(t, "1")
	m.take(t, "one")
	m.say(t, "2")
	m.take(t, "two")
	m.say(t, "2")
	for _, to := range []string{"", "two"} {
		paths, changes := m.changes(t, "one", to)
		if len(paths) != 1 || !strings.HasSuffix(paths[0], "/state") || changes[paths[0]] != `-rw-r--r-- "1" → -rw-r--r-- "2"` {
			t.Errorf("from one to %q: %v", to, changes)
		}
	}
	if _, changes := m.changes(t, "two", ""); len(changes) != 0 {
		t.Errorf("written again as it was: %v", changes)
	}
	enough := errors.New("enough")
	err := m.differ(t).Diff(bounded(t), m.spec.Ref, "one", "two", func(c runtime.FileChange) error {
		if _, err := c.After.Read(0); err == nil {
			t.Error("more was read than the limit")
		}
		return enough
	})
	if !errors.Is(err, enough) {
		t.Errorf("an error of visit came back as %v", err)
	}
}

// testDiffTraps has files in the way that would hang a careless reader, flood it,
// or lead it to the host.
func testDiffTraps(t *testing.T, s *suite) {
	s.differ(t)
	m := s.fresh(t, s.spec())
	m.take(t, "one")
	m.probe(t, "trap", "/tmp/trap")
	want := map[string]string{
		"/tmp/trap":         "nothing → drwxr-xr-x",
		"/tmp/trap/closed":  `nothing → ---------- "x"`,
		"/tmp/trap/fifo":    "nothing → prw-r--r--",
		"/tmp/trap/loop":    "nothing → Lrwxrwxrwxloop",
		"/tmp/trap/out":     "nothing → Lrwxrwxrwx/etc",
		"/tmp/trap/sparse":  "nothing → much",
		"/tmp/trap/to-fifo": "nothing → Lrwxrwxrwxfifo",
		"/tmp/trap/zero":    "nothing → Lrwxrwxrwx../../../../../../../../dev/zero",
	}
	if _, got := m.changes(t, "one", ""); !cmp.Equal(want, got) {
		t.Errorf("changes (-want +got):\n%s", cmp.Diff(want, got))
	}
	m.take(t, "two")
	if _, got := m.changes(t, "two", ""); len(got) != 0 {
		t.Errorf("nothing was done, and yet: %v", got)
	}
	m.healthy(t)
}

// testDiffStopped compares the snapshots of a stopped machine.
func testDiffStopped(t *testing.T, s *suite) {
	differ := s.differ(t)
	m := s.fresh(t, s.spec())
	m.say(t, "1")
	m.take(t, "one")
	m.say(t, "2")
	m.take(t, "two")
	if err := s.driver.Stop(t.Context(), m.spec.Ref, 0); err != nil {
		t.Fatal(err)
	}
	if paths, _ := m.changes(t, "one", "two"); len(paths) != 1 {
		t.Errorf("changes: %q", paths)
	}
	var paths []string
	err := differ.Diff(bounded(t), m.spec.Ref, "one", "", func(c runtime.FileChange) error {
		paths = append(paths, c.Path)
		return nil
	})
	if !errors.Is(err, runtime.ErrNotRunning) && (err != nil || len(paths) != 1) {
		t.Errorf("with the files of now: %q, %v", paths, err)
	}
}

func testDiffAbsent(t *testing.T, s *suite) {
	differ := s.differ(t)
	nothing := func(runtime.FileChange) error { return fs.ErrInvalid }
	if err := differ.Diff(t.Context(), s.spec().Ref, "a", "", nothing); !errors.Is(err, runtime.ErrNoMachine) {
		t.Errorf("without a machine: %v, want ErrNoMachine", err)
	}
	m := s.shared(t)
	for _, states := range [][2]string{{"absent", ""}, {"", "absent"}, {"../x", ""}} {
		if err := differ.Diff(t.Context(), m.spec.Ref, states[0], states[1], nothing); !errors.Is(err, runtime.ErrNoSnapshot) {
			t.Errorf("diff of %q: %v, want ErrNoSnapshot", states, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := differ.Diff(ctx, m.spec.Ref, "", "", nothing); err == nil {
		t.Error("a cancelled diff succeeds")
	}
	m.healthy(t)
}
