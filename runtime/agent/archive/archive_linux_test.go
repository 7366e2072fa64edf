package archive_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent/archive"
)

// tree describes what is in a folder, a line each.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var lines []string
	err := filepath.WalkDir(dir, func(at string, e fs.DirEntry, err error) error {
		if err != nil || at == dir {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, at)
		line := info.Mode().String() + " " + name
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(at)
			if err != nil {
				return err
			}
			line += " " + string(data)
		}
		if target, err := os.Readlink(at); err == nil {
			line += " -> " + target
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func openRoot(t *testing.T, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func TestRoundTrip(t *testing.T) {
	from := filepath.Join(t.TempDir(), "from")
	long := strings.Repeat("a-rather-long-name", 12)
	for _, err := range []error{
		os.MkdirAll(filepath.Join(from, "a/b", long), 0o755),
		os.WriteFile(filepath.Join(from, "a/b/файл"), []byte("\x00\xff"), 0o640),
		os.WriteFile(filepath.Join(from, "script"), []byte("#!"), 0o755),
		os.Symlink("b/файл", filepath.Join(from, "a/link")),
		os.Symlink("../script", filepath.Join(from, "a/up")),
		os.Chmod(filepath.Join(from, "a/b", long), 0o555),
		unix.Mkfifo(filepath.Join(from, "pipe"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var stream bytes.Buffer
	if err := archive.Pack(&stream, from); err != nil {
		t.Fatal(err)
	}
	var skipped []string
	to := t.TempDir()
	if err := archive.Unpack(openRoot(t, to), "copy", &stream, -1, func(name string) { skipped = append(skipped, name) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"pipe"}, skipped); diff != "" {
		t.Error(diff)
	}
	if err := os.Remove(filepath.Join(from, "pipe")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tree(t, from), tree(t, filepath.Join(to, "copy"))); diff != "" {
		t.Error(diff)
	}
}

// entries makes a stream of headers; files contain "evil".
func entries(t *testing.T, headers ...tar.Header) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == tar.TypeReg {
			h.Size = 4
		}
		h.Mode |= 0o644
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write([]byte("evil")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func file(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name} }
func to(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}
}

func TestHostileNames(t *testing.T) {
	for _, name := range []string{
		"/etc/evil", "../evil", "top/../../evil", "top/../evil", "top/a/../../../evil", "evil", "topevil", "top//evil", "top/./evil", "top/a/..",
	} {
		dir := t.TempDir()
		inner := filepath.Join(dir, "inner")
		if err := os.Mkdir(inner, 0o755); err != nil {
			t.Fatal(err)
		}
		err := archive.Unpack(openRoot(t, inner), "x", entries(t, file(name)), -1, nil)
		if !errors.Is(err, archive.ErrHostile) {
			t.Errorf("%s: %v", name, err)
		}
		if got := tree(t, dir); len(got) != 1 {
			t.Errorf("%s: left %q", name, got)
		}
	}
}

// What links say never matters to where files land, and what leads out of the
// tree is left out.
func TestHostileLinks(t *testing.T) {
	outside := t.TempDir()
	hard := tar.Header{Typeflag: tar.TypeLink, Name: "top/hard", Linkname: "/etc/passwd"}
	device := tar.Header{Typeflag: tar.TypeBlock, Name: "top/disk", Devmajor: 8}
	fifo := tar.Header{Typeflag: tar.TypeFifo, Name: "top/fifo"}
	dir := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755} }
	for name, test := range map[string]struct {
		entries []tar.Header
		want    []string
		skipped []string
	}{
		"absolute":     {[]tar.Header{to("top/l", outside), file("top/l/evil")}, []string{"drwxr-xr-x x", "drwxr-xr-x x/l", "-rw-r--r-- x/l/evil evil"}, []string{"l"}},
		"upward":       {[]tar.Header{to("top/a/l", "../../out")}, nil, []string{"a/l"}},
		"top":          {[]tar.Header{to("top", ".."), file("top/evil")}, []string{"drwxr-xr-x x", "-rw-r--r-- x/evil evil"}, []string{"."}},
		"through":      {[]tar.Header{dir("top/p/q"), to("top/p/q/d", "../.."), to("top/x", "p/q/d/..")}, []string{"drwxr-xr-x x", "drwxr-xr-x x/p", "drwxr-xr-x x/p/q", "Lrwxrwxrwx x/p/q/d -> ../.."}, []string{"x"}},
		"in a link":    {[]tar.Header{to("top/d", "."), to("top/d/x", "../y")}, []string{"drwxr-xr-x x", "drwxr-xr-x x/d", "Lrwxrwxrwx x/d/x -> ../y"}, []string{"d"}},
		"link or file": {[]tar.Header{to("top/l", "f"), file("top/l")}, []string{"drwxr-xr-x x", "Lrwxrwxrwx x/l -> f"}, nil},
		"no files":     {[]tar.Header{hard, device, fifo}, nil, []string{"hard", "disk", "fifo"}},
		"set uid":      {[]tar.Header{{Typeflag: tar.TypeReg, Name: "top/su", Mode: 0o6755}}, []string{"drwxr-xr-x x", "-rwxr-xr-x x/su evil"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			var skipped []string
			err := archive.Unpack(openRoot(t, folder), "x", entries(t, test.entries...), -1, func(name string) { skipped = append(skipped, name) })
			if err != nil {
				t.Fatal(err)
			}
			got := tree(t, folder)
			slices.Sort(got)
			slices.Sort(test.want)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.skipped, skipped); diff != "" {
				t.Errorf("skipped: %s", diff)
			}
			if left := tree(t, outside); len(left) > 0 {
				t.Errorf("outside: %q", left)
			}
		})
	}
}

// A link that the target folder has already leads nowhere else.
func TestLinkInTheWay(t *testing.T) {
	outside, folder := t.TempDir(), t.TempDir()
	for name, target := range map[string]string{"file": filepath.Join(outside, "file"), "folder": outside} {
		if err := os.Symlink(target, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	root := openRoot(t, folder)
	if err := archive.Unpack(root, ".", entries(t, file("top/file")), -1, nil); err != nil {
		t.Error(err)
	}
	if err := archive.Unpack(root, ".", entries(t, file("top/folder/evil")), -1, nil); err == nil {
		t.Error("it went through a link out of the folder")
	}
	if left := tree(t, outside); len(left) > 0 {
		t.Errorf("outside: %q", left)
	}
}

func TestLimit(t *testing.T) {
	for limit, want := range map[int64]error{2 * (512 + 4): nil, 2*(512+4) - 1: archive.ErrLimit} {
		err := archive.Unpack(openRoot(t, t.TempDir()), "x", entries(t, file("top/a"), file("top/b")), limit, nil)
		if !errors.Is(err, want) {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
	if err := archive.Unpack(openRoot(t, t.TempDir()), "x", strings.NewReader(strings.Repeat("?", 2048)), -1, nil); !errors.Is(err, archive.ErrHostile) {
		t.Errorf("no archive: %v", err)
	}
}
