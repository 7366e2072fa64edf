package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	goruntime "runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/itechsmart/vm/runtime"
)

// Prefixes of references that are files: an OCI layout's folder, and what
// `docker save` writes.
const (
	layoutPrefix  = "oci:"
	archivePrefix = "docker-archive:"
)

func localPath(reference string) (path string, local bool) {
	if path, ok := strings.CutPrefix(reference, layoutPrefix); ok {
		return path, true
	}
	return strings.CutPrefix(reference, archivePrefix)
}

func platform() v1.Platform {
	return v1.Platform{OS: "linux", Architecture: goruntime.GOARCH}
}

// open finds the image of a reference. Registries on this host's loopback may
// speak plain HTTP; others may not.
func open(ctx context.Context, reference string) (v1.Image, error) {
	if path, ok := strings.CutPrefix(reference, layoutPrefix); ok {
		image, err := fromLayout(path)
		if err != nil {
			return nil, unavailable(reference, err)
		}
		return image, nil
	}
	if path, ok := strings.CutPrefix(reference, archivePrefix); ok {
		image, err := tarball.ImageFromPath(filepath.Clean(path), nil)
		if err != nil {
			return nil, unavailable(reference, err)
		}
		return image, nil
	}
	ref, err := name.ParseReference(reference)
	if err != nil {
		return nil, fmt.Errorf("image reference %q: %w: %w", reference, err, runtime.ErrInvalidSpec)
	}
	image, err := remote.Image(ref, remote.WithContext(ctx), remote.WithPlatform(platform()),
		remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return nil, unavailable(reference, err)
	}
	return image, nil
}

// fromLayout returns the image of an OCI layout: its only one, or that of this
// platform.
func fromLayout(path string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var only *v1.Descriptor
	for i, d := range manifest.Manifests {
		if !d.MediaType.IsImage() {
			continue
		}
		if d.Platform != nil && d.Platform.Satisfies(platform()) || len(manifest.Manifests) == 1 {
			only = &manifest.Manifests[i]
			break
		}
	}
	if only == nil {
		return nil, fmt.Errorf("no image for %s in it", platform().String())
	}
	return index.Image(only.Digest)
}

// unavailable says that an image cannot be had, and what to look at.
func unavailable(reference string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var refusal *transport.Error
	if errors.As(err, &refusal) && refusal.StatusCode == http.StatusNotFound {
		err = errors.New("its registry has no such image")
	}
	err = fmt.Errorf("image %s cannot be had: %w: %w", reference, err, runtime.ErrUnavailable)
	return runtime.WithHint(err, "check the reference and the way to its registry; without an image, machines use this host's toolchains")
}

// counter reports how much of an image has come.
type counter struct {
	done, total int64
	message     string
	progress    runtime.Progress
}

// counted prepares a counter of the image's compressed bytes.
func counted(image v1.Image, reference string, progress runtime.Progress) *counter {
	c := &counter{message: "unpacking image " + reference, progress: progress}
	if manifest, err := image.Manifest(); err == nil {
		for _, layer := range manifest.Layers {
			c.total += layer.Size
		}
	}
	progress.Report(c.message, -1)
	return c
}

// read counts what is read from a layer.
func (c *counter) read(from io.Reader) io.Reader { return &countedReader{from, c} }

type countedReader struct {
	io.Reader
	counter *counter
}

func (r *countedReader) Read(p []byte) (int, error) {
	const step = 1 << 20 // report once for each mebibyte
	n, err := r.Reader.Read(p)
	c := r.counter
	before := c.done / step
	c.done += int64(n)
	if c.total > 0 && c.done/step != before {
		c.progress.Report(c.message, min(100, float64(c.done)*100/float64(c.total)))
	}
	return n, err
}
