//go:build linux

package native_test

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/runtimetest"
)

// TestImage runs part of the suite in machines of an image that holds nothing
// that a machine could lean on, and traps: its mount points lead elsewhere.
func TestImage(t *testing.T) {
	reference := "oci:" + trapImage(t)
	runtimetest.Run(t, newDriver, runtimetest.Options{Image: reference, Skip: skipGuestCases()})
}

// skipGuestCases leaves out what does not depend on how the machine is made:
// the guest in it is the same.
func skipGuestCases() map[string]string {
	skip := map[string]string{}
	for _, name := range []string{
		"stopWithGrace", "manyAtOnce", "logs", "stdin", "binary", "splitCharacter", "exitCode", "ownSignal", "signal",
		"scratch", "missingProgram", "failedBuild", "sameID", "forget", "stats", "twoClients", "clientDies",
		"slowReader", "noReader", "gigabyte", "timeoutKillsTree", "cancelKillsTree", "childHoldsPipe", "detach",
		"cpuLimit", "memoryLimit", "pidsLimit", "forkStorm",
	} {
		skip[name] = "depends on the guest alone, which TestConformance tries"
	}
	return skip
}

// trapImage makes an image and returns the folder of its OCI layout.
func trapImage(t *testing.T) string {
	t.Helper()
	var content bytes.Buffer
	archive := tar.NewWriter(&content)
	for _, header := range []tar.Header{
		{Typeflag: tar.TypeDir, Name: "etc", Mode: 0o755},
		{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644},
		{Typeflag: tar.TypeSymlink, Name: "dev", Linkname: "/elsewhere/dev"},
		{Typeflag: tar.TypeSymlink, Name: "proc", Linkname: "../../../../elsewhere/proc"},
		{Typeflag: tar.TypeDir, Name: "elsewhere/dev", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "elsewhere/proc", Mode: 0o755},
		{Typeflag: tar.TypeDir, Name: "tmp", Mode: 0o1777},
	} {
		must(t, archive.WriteHeader(&header))
	}
	must(t, archive.Close())
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil })
	must(t, err)
	image, err := mutate.AppendLayers(empty.Image, layer)
	must(t, err)
	image, err = mutate.Config(image, v1.Config{Env: []string{"FROM_IMAGE=yes", "FROM_BOTH=image"}, WorkingDir: "/app"})
	must(t, err)
	folder := filepath.Join(t.TempDir(), "layout")
	_, err = layout.Write(folder, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: image}))
	must(t, err)
	return folder
}

// TestReady asks for images that are not here.
func TestReady(t *testing.T) {
	driver := newDriver(t)
	for reference, ready := range map[string]bool{
		"":                                true,
		"127.0.0.1:1/absent:1":            false,
		"oci:" + t.TempDir():              true,
		"docker-archive:/no/such/file":    false,
		"oci:" + os.DevNull + "/no/where": false,
	} {
		s := spec(4)
		s.Image = reference
		err := driver.Ready(t.Context(), s)
		if (err == nil) != ready {
			t.Errorf("%q: %v", reference, err)
		}
		if err != nil && reference == "127.0.0.1:1/absent:1" && runtime.Hint(err) == "" {
			t.Errorf("%q: %v has no hint", reference, err)
		}
	}
}

// TestRefusedSpecs leaves nothing of machines that cannot be.
func TestRefusedSpecs(t *testing.T) {
	state := t.TempDir()
	driver := nativeDriver(t, state)
	for name, change := range map[string]func(*runtime.Spec){
		"no instance":   func(s *runtime.Spec) { s.Instance = "" },
		"no CPU":        func(s *runtime.Spec) { s.Limits.CPU = 0 },
		"no memory":     func(s *runtime.Spec) { s.Limits.MemoryMiB = -1 },
		"isolation":     func(s *runtime.Spec) { s.Isolation = "runsc" },
		"network":       func(s *runtime.Spec) { s.Network.Mode = "sideways" },
		"image syntax":  func(s *runtime.Spec) { s.Image = "Not An Image" },
		"absent image":  func(s *runtime.Spec) { s.Image = "127.0.0.1:1/absent:1" },
		"absent layout": func(s *runtime.Spec) { s.Image = "oci:/no/such/folder" },
	} {
		s := spec(5)
		change(&s)
		if m, err := driver.Create(t.Context(), s, nil); err == nil {
			t.Errorf("%s: made %+v", name, m)
		}
	}
	if left, err := driver.List(t.Context(), instance); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	assertNothingLeft(t, state)
}
