package pool

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime"
)

// planted is a file of a tree: of a link, content is the target.
type planted struct {
	mode    fs.FileMode
	content string
}

func (p *planted) state() *runtime.FileState {
	if p == nil {
		return nil
	}
	if p.mode.Type() == fs.ModeSymlink {
		return &runtime.FileState{Mode: p.mode, Target: p.content}
	}
	return &runtime.FileState{Mode: p.mode, Size: int64(len(p.content)), Read: func(limit int64) ([]byte, error) {
		if int64(len(p.content)) > limit {
			return nil, fmt.Errorf("%d bytes", len(p.content))
		}
		return []byte(p.content), nil
	}}
}

// diffOf is the diff of two trees, by relative path.
func diffOf(t *testing.T, before, after map[string]planted) Diff {
	t.Helper()
	all := maps.Clone(before)
	maps.Copy(all, after)
	d := differing{deleted: map[[sha256.Size]byte]int{}, created: map[[sha256.Size]byte]int{}}
	for _, path := range slices.Sorted(maps.Keys(all)) {
		c := runtime.FileChange{Path: "/" + path}
		a, hadOne := before[path]
		b, hasOne := after[path]
		if a == b && hadOne && hasOne {
			continue
		}
		if hadOne {
			c.Before = a.state()
		}
		if hasOne {
			c.After = b.state()
		}
		c.Content = hadOne && hasOne && a.content != b.content && a.mode.IsRegular() && b.mode.IsRegular()
		if err := d.add(c); err != nil {
			t.Fatal(err)
		}
	}
	d.pairRenamed()
	return d.diff
}

const link = fs.ModeSymlink | 0o777

// TestPatchesApply has git make of one tree the other.
func TestPatchesApply(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("git is not installed")
	}
	before := map[string]planted{
		"same":           {0o644, "same\n"},
		"lines":          {0o644, strings.Repeat("line\n", 20) + "end\n"},
		"no newline":     {0o644, "one\ntwo"},
		"now a script":   {0o644, "#!/bin/sh\n"},
		"mode and text":  {0o755, "x\n"},
		"gone":           {0o644, "gone\n"},
		"emptied":        {0o644, "content\n"},
		"old name":       {0o644, "the same in both places\n"},
		"link":           {link, "lines"},
		"link gone":      {link, "nowhere"},
		"file to link":   {0o644, "file\n"},
		"link to file":   {link, "same"},
		"tab\tand \"q\"": {0o644, "a\n"},
		"ünïcode":        {0o644, "a\n"},
	}
	after := map[string]planted{
		"same":           {0o644, "same\n"},
		"lines":          {0o644, "begin\n" + strings.Repeat("line\n", 10) + "middle\n" + strings.Repeat("line\n", 10)},
		"no newline":     {0o644, "one\ntwo\n"},
		"now a script":   {0o755, "#!/bin/sh\n"},
		"mode and text":  {0o644, "y\n"},
		"emptied":        {0o644, ""},
		"in/new name":    {0o755, "the same in both places\n"},
		"link":           {link, "same"},
		"new link":       {link, "../up"},
		"file to link":   {link, "same"},
		"link to file":   {0o644, "file\n"},
		"tab\tand \"q\"": {0o644, "b\n"},
		"ünïcode":        {0o644, "b\n"},
		"in/created":     {0o755, "created\nwithout a newline"},
		"in/empty":       {0o644, ""},
	}
	var patch bytes.Buffer
	for _, f := range diffOf(t, before, after).Files {
		if f.NoPatch != "" {
			t.Errorf("%s has no patch: %s", f.Path, f.NoPatch)
		}
		patch.WriteString(f.Patch)
	}
	folder := t.TempDir()
	for path, p := range before {
		plant(t, filepath.Join(folder, path), p)
	}
	cmd := exec.Command(git, "apply", "--whitespace=nowarn", "-")
	cmd.Dir, cmd.Stdin = folder, &patch
	cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(folder), "GIT_CONFIG_NOSYSTEM=1", "HOME="+folder)
	text := patch.String()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git apply: %v\n%s\n%s", err, out, text)
	}
	if diff := cmp.Diff(after, harvest(t, folder), cmp.AllowUnexported(planted{})); diff != "" {
		t.Errorf("git has made something else (-want +got):\n%s\nof\n%s", diff, text)
	}
}

func plant(t *testing.T, at string, p planted) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(at), 0o755)
	if err == nil && p.mode.Type() == fs.ModeSymlink {
		err = os.Symlink(p.content, at)
	} else if err == nil {
		err = os.WriteFile(at, []byte(p.content), p.mode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func harvest(t *testing.T, folder string) map[string]planted {
	t.Helper()
	found := map[string]planted{}
	err := filepath.WalkDir(folder, func(at string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		below, err := filepath.Rel(folder, at)
		if err != nil {
			return err
		}
		if entry.Type() == fs.ModeSymlink {
			target, err := os.Readlink(at)
			found[below] = planted{link, target}
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(at)
		found[below] = planted{info.Mode(), string(data)}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestWhatHasNoPatchSaysWhy names files without showing them.
func TestWhatHasNoPatchSaysWhy(t *testing.T) {
	large := strings.Repeat("x", MaxPatchFile+1)
	before := map[string]planted{"binary": {0o644, "a\x00b"}, "renamed": {0o644, "\xff\xfe"}, "twice 1": {0o644, "same\n"}, "pipe": {fs.ModeNamedPipe | 0o644, ""}}
	after := map[string]planted{"binary": {0o644, "a\x00c"}, "as": {0o644, "\xff\xfe"}, "large": {0o644, large}, "twice 2": {0o644, "same\n"}, "twice 3": {0o644, "same\n"}, "folder": {fs.ModeDir | 0o755, ""}}
	got := map[string]string{}
	for _, f := range diffOf(t, before, after).Files {
		got[f.Path] = fmt.Sprintf("%s %s %v %s%s", f.Change, f.NoPatch, f.Patch != "", f.RenamedFrom, f.RenamedTo)
	}
	want := map[string]string{
		"/binary":  "modified binary false ",
		"/renamed": "deleted  false /as",
		"/as":      "created  true /renamed",
		"/large":   "created large false ",
		"/twice 1": "deleted  true ", // which of the two it is now, nobody can tell
		"/twice 2": "created  true ",
		"/twice 3": "created  true ",
		"/pipe":    "deleted  false ",
		"/folder":  "created  false ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPatchesAreBounded changes more than can be shown or told.
func TestPatchesAreBounded(t *testing.T) {
	d := differing{deleted: map[[sha256.Size]byte]int{}, created: map[[sha256.Size]byte]int{}}
	p := planted{0o644, strings.Repeat(strings.Repeat("long line ", 1000)+"\n", 20)}
	var told, size int
	var err error
	for told = 0; err == nil; told++ {
		err = d.add(runtime.FileChange{Path: fmt.Sprintf("/%d", told), After: p.state()})
	}
	for _, f := range d.diff.Files {
		size += len(f.Patch)
	}
	last := d.diff.Files[len(d.diff.Files)-1]
	if told != MaxDiffFiles+1 || !d.diff.More || len(d.diff.Files) != MaxDiffFiles {
		t.Errorf("%d of %d files are told, more: %v", len(d.diff.Files), told, d.diff.More)
	}
	if size > maxPatches || size < maxPatches/2 || last.NoPatch != NoPatchLimit {
		t.Errorf("%d bytes of patches; the last file has none because: %q", size, last.NoPatch)
	}
}
