package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	goruntime "runtime"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/image"
)

// testImage is an image with nothing in it but folders: machines bring all that
// they need.
var testImage struct {
	once sync.Once
	name string
	err  error
}

func emptyImage(t *testing.T, d *Driver) string {
	t.Helper()
	testImage.once.Do(func() {
		testImage.name = "itechsmart-test-" + instance + ":empty"
		testImage.err = loadImage(t.Context(), d, testImage.name, goruntime.GOARCH, nil)
	})
	if testImage.err != nil {
		t.Fatal(testImage.err)
	}
	return testImage.name
}

func removeTestImage() {
	if testImage.name == "" {
		return
	}
	d, err := New(Options{Host: os.Getenv("ITECHSMART_TEST_DOCKER_HOST")})
	if err != nil {
		return
	}
	defer d.Close()
	removeImage(context.Background(), d, testImage.name)
}

// removeImage removes an image by its id: one that came from a registry would
// outlive its name.
func removeImage(ctx context.Context, d *Driver, name string) {
	if found, err := d.cli.ImageInspect(ctx, name); err == nil {
		_, _ = d.cli.ImageRemove(ctx, found.ID, image.RemoveOptions{Force: true, PruneChildren: true})
	}
}

// loadImage makes an image of one layer that holds payload.
func loadImage(ctx context.Context, d *Driver, name, arch string, payload []byte) error {
	layer, err := pack(file{"tmp/", nil}, file{"payload", payload})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(layer)
	config, err := json.Marshal(map[string]any{
		"architecture": arch, "os": "linux", "config": map[string]any{},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(sum[:])}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{
		{"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"}},
	})
	if err != nil {
		return err
	}
	saved, err := pack(file{"manifest.json", manifest}, file{"config.json", config}, file{"layer.tar", layer})
	if err != nil {
		return err
	}
	answer, err := d.cli.ImageLoad(ctx, bytes.NewReader(saved))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return followPull(answer.Body, name, nil)
}

// file of an archive; a folder's name ends in a slash.
type file struct {
	name    string
	content []byte
}

func pack(files ...file) ([]byte, error) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, f := range files {
		header := tar.Header{Name: f.name, Mode: 0o1777, Size: int64(len(f.content))}
		if err := w.WriteHeader(&header); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	return packed.Bytes(), w.Close()
}
