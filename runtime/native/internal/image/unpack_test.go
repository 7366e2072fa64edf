//go:build linux

package image

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func dir(name string, mode int64) tar.Header {
	return tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode}
}
func link(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target}
}
func hard(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target}
}

// file's content is its PAX record "content", to keep tables in one line.
func file(name, content string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content)), Uid: 7, Gid: 8, Uname: content}
}

// makeImage makes an image of layers.
func makeImage(t *testing.T, layers ...[]tar.Header) v1.Image {
	t.Helper()
	image := v1.Image(empty.Image)
	for _, entries := range layers {
		var content bytes.Buffer
		archive := tar.NewWriter(&content)
		for _, header := range entries {
			text := header.Uname
			header.Uname = ""
			if err := archive.WriteHeader(&header); err != nil {
				t.Fatal(err)
			}
			if header.Typeflag == tar.TypeReg {
				if _, err := io.WriteString(archive, text); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := archive.Close(); err != nil {
			t.Fatal(err)
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(content.Bytes())), nil
		})
		if err == nil {
			image, err = mutate.AppendLayers(image, layer)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	image, err := mutate.Config(image, v1.Config{Env: []string{"FROM=image"}, WorkingDir: "/app"})
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// contents of a tree: path → mode and content, or target.
func contents(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		name := strings.TrimPrefix(path, root)
		info, err := entry.Info()
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir():
			found[name] = info.Mode().String()
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			found[name] = "-> " + target
			return err
		default:
			raw, err := os.ReadFile(path)
			found[name] = string(raw)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestUnpack(t *testing.T) {
	for _, test := range []struct {
		name   string
		layers [][]tar.Header
		want   map[string]string
	}{
		{
			"layers replace, hide and add",
			[][]tar.Header{
				{dir("a", 0o755), file("a/kept", "1"), file("a/changed", "1"), file("a/hidden", "1"), dir("b", 0o755), file("b/old", "1")},
				{file("a/changed", "2"), file("a/.wh.hidden", ""), file("b/new", "2"), file("b/.wh..wh..opq", "")},
			},
			map[string]string{"/a": "drwxr-xr-x", "/a/kept": "1", "/a/changed": "2", "/b": "drwxr-xr-x", "/b/new": "2"},
		},
		{
			"a folder becomes a file, and a file a folder",
			[][]tar.Header{
				{dir("a", 0o755), file("a/b/c", "1"), file("d", "1")},
				{file("a", "2"), dir("d", 0o711), file("d/e", "2")},
			},
			map[string]string{"/a": "2", "/d": "drwx--x--x", "/d/e": "2"},
		},
		{
			"hard links, and links that lead on from the root",
			[][]tar.Header{
				{dir("usr/lib", 0o755), link("lib", "/usr/lib"), file("lib/real", "1"), hard("other", "lib/real")},
			},
			map[string]string{"/usr": "drwxr-xr-x", "/usr/lib": "drwxr-xr-x", "/usr/lib/real": "1", "/lib": "-> /usr/lib", "/other": "1"},
		},
		{
			"a folder that forbids writing gets its files first, and no set-user-id",
			[][]tar.Header{
				{dir("closed", 0o6755), file("closed/inside", "1")},
			},
			map[string]string{"/closed": "drwxr-xr-x", "/closed/inside": "1"},
		},
		{
			"nothing leaves the folder",
			[][]tar.Header{
				{link("out", "/../../../../.."), link("up", "../../.."), file("out/tmp/through-link", "1"), file("../../above", "1"), file("up/beside", "1")},
				{file(".wh...", ""), file("out/.wh.tmp", "")},
			},
			map[string]string{"/out": "-> /../../../../..", "/up": "-> ../../..", "/above": "1", "/beside": "1"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			outer := t.TempDir()
			root := filepath.Join(outer, "deep", "root")
			if err := os.Mkdir(filepath.Dir(root), 0o755); err != nil {
				t.Fatal(err)
			}
			image := makeImage(t, test.layers...)
			if err := unpack(context.Background(), image, root, Owners{}, counted(image, "test", nil)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, contents(t, root)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(map[string]string{"/deep": "drwxr-xr-x"}, contents(t, outer), cmp.FilterPath(func(p cmp.Path) bool {
				index, ok := p.Last().(cmp.MapIndex)
				return ok && strings.HasPrefix(index.Key().String(), "/deep/root")
			}, cmp.Ignore())); diff != "" {
				t.Errorf("outside: %s", diff)
			}
		})
	}
}

func TestUnpackRefusesLinksToTheHost(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	image := makeImage(t, []tar.Header{hard("stolen", outside)})
	root := filepath.Join(t.TempDir(), "root")
	if err := unpack(context.Background(), image, root, Owners{}, counted(image, "test", nil)); err == nil {
		t.Errorf("a hard link to a file of the host was made: %v", contents(t, root))
	}
}

func TestOwnersAreShifted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	image := makeImage(t, []tar.Header{file("a", "1"), {Typeflag: tar.TypeReg, Name: "far", Uid: 99999, Gid: -1}})
	root := filepath.Join(t.TempDir(), "root")
	const base = 500000
	if err := unpack(context.Background(), image, root, Owners{Base: base}, counted(image, "test", nil)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][2]uint32{"": {base, base}, "a": {base + 7, base + 8}, "far": {base + 65534, base + 65534}} {
		info, err := os.Lstat(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		stat := info.Sys().(*syscall.Stat_t)
		if got := [2]uint32{stat.Uid, stat.Gid}; got != want {
			t.Errorf("%q belongs to %v, want %v", name, got, want)
		}
	}
}

// TestStore gets one image from every kind of source, in several processes'
// stead by several goroutines with a Store each.
func TestStore(t *testing.T) {
	image := makeImage(t, []tar.Header{file("hello", "world")})
	folder := t.TempDir()
	if _, err := layout.Write(filepath.Join(folder, "layout"), mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: image})); err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag("local/test:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(filepath.Join(folder, "saved.tar"), tag, image); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(registry.New())
	defer server.Close()
	pulled := strings.TrimPrefix(server.URL, "http://") + "/some/image:1"
	ref, err := name.ParseReference(pulled)
	if err == nil {
		err = remote.Write(ref, image)
	}
	if err != nil {
		t.Fatal(err)
	}

	for _, reference := range []string{"oci:" + folder + "/layout", "docker-archive:" + folder + "/saved.tar", pulled} {
		state := t.TempDir()
		var waiting sync.WaitGroup
		for i := range 4 {
			waiting.Go(func() {
				got, err := (&Store{Dir: state}).Ensure(t.Context(), reference, Owners{}, nil)
				if err != nil {
					t.Errorf("%s: %v", reference, err)
					return
				}
				if got.WorkingDir != "/app" || len(got.Env) != 1 {
					t.Errorf("%s: %+v", reference, got)
				}
				if diff := cmp.Diff(map[string]string{"/hello": "world"}, contents(t, got.Root)); diff != "" {
					t.Errorf("%s, %d: %s", reference, i, diff)
				}
			})
		}
		waiting.Wait()
		if left, err := filepath.Glob(filepath.Join(state, ".*")); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		if err := (&Store{Dir: state}).Has(reference); err != nil {
			t.Errorf("%s: %v", reference, err)
		}
	}
	// Without its registry, an image that was pulled is still there.
	state := t.TempDir()
	store := &Store{Dir: state}
	if _, err := store.Ensure(t.Context(), pulled, Owners{}, nil); err != nil {
		t.Fatal(err)
	}
	absent := fmt.Sprintf("%s/absent:1", server.Listener.Addr())
	if _, err := store.Ensure(t.Context(), absent, Owners{}, nil); err == nil || !strings.Contains(err.Error(), "its registry has no such image") {
		t.Errorf("an image that its registry does not have: %v", err)
	}
	server.Close()
	if _, err := store.Ensure(t.Context(), pulled, Owners{}, nil); err != nil {
		t.Errorf("second time: %v", err)
	}
	if _, err := store.Ensure(t.Context(), absent, Owners{}, nil); err == nil {
		t.Error("an image of no registry was found")
	}
}
