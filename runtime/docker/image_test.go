package docker

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"os"
	goruntime "runtime"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime"
)

func TestMissingImageSaysHowToGetIt(t *testing.T) {
	d := newDriver(t)
	spec := newSpec(t, d)
	spec.Image = "127.0.0.1:1/no/such:image"
	err := d.Ready(t.Context(), spec)
	if !errors.Is(err, runtime.ErrUnavailable) || !strings.HasSuffix(runtime.Hint(err), "pull "+spec.Image) {
		t.Errorf("Ready: %v, hint %q", err, runtime.Hint(err))
	}
	_, err = d.Create(t.Context(), spec, nil)
	if !errors.Is(err, runtime.ErrUnavailable) || !strings.Contains(runtime.Hint(err), "pull "+spec.Image) {
		t.Errorf("Create: %v, hint %q", err, runtime.Hint(err))
	}
}

func TestImageOfAnotherArchitecture(t *testing.T) {
	d := newDriver(t)
	spec := newSpec(t, d)
	other := "arm64"
	if e, err := d.engine(t.Context()); err != nil {
		t.Fatal(err)
	} else if e.arch == other {
		other = "amd64"
	}
	spec.Image = "itechsmart-test-" + instance + ":" + other
	if err := loadImage(t.Context(), d, spec.Image, other, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeImage(context.Background(), d, spec.Image) })
	_, err := d.Create(t.Context(), spec, nil)
	if !errors.Is(err, runtime.ErrUnavailable) || !strings.Contains(err.Error(), "linux/"+other) {
		t.Errorf("%v, want ErrUnavailable that names both platforms", err)
	}
}

func TestPull(t *testing.T) {
	d := newDriver(t)
	published := publish(t, d, "pulled", 8<<20)
	spec := newSpec(t, d)
	spec.Image = published
	if err := d.Ready(t.Context(), spec); !errors.Is(err, runtime.ErrUnavailable) {
		t.Fatalf("the image is there before its pull: %v", err)
	}
	var percents []float64
	_, err := d.Create(t.Context(), spec, func(message string, percent float64) {
		if strings.HasPrefix(message, "pulling ") {
			percents = append(percents, percent)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range percents {
		if i > 0 && percents[i] <= percents[i-1] {
			t.Errorf("progress went back: %v", percents)
			break
		}
	}
	if len(percents) < 3 || percents[0] != 0 || percents[len(percents)-1] != 100 {
		t.Errorf("progress %v, want several steps from 0 to 100", percents)
	}
	if err := d.Ready(t.Context(), spec); err != nil {
		t.Errorf("after its pull: %v", err)
	}
}

func TestCancelledPullLeavesNothing(t *testing.T) {
	d := newDriver(t)
	published := publish(t, d, "cancelled", 24<<20)
	spec := newSpec(t, d)
	spec.Image = published
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := d.Create(ctx, spec, func(_ string, percent float64) {
		if percent > 0 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	if err := d.Ready(t.Context(), spec); !errors.Is(err, runtime.ErrUnavailable) {
		t.Errorf("the image is there after all: %v", err)
	}
	mustBeGoneAfter(t, d, spec.Ref, func() error { return nil })
}

// publish puts an image of that many random bytes into the test registry, and
// only there, and returns its name. scripts/testenv sweeps what is below test/.
func publish(t *testing.T, d *Driver, tag string, size int) string {
	t.Helper()
	registry := os.Getenv("ITECHSMART_TEST_REGISTRY")
	if registry == "" {
		const reason = "no registry: ITECHSMART_TEST_REGISTRY is not set (scripts/testenv)"
		if os.Getenv("CI") == "true" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	payload := make([]byte, size)
	rand.Read(payload)
	name := registry + "/test/" + instance + ":" + tag
	if err := loadImage(t.Context(), d, name, goruntime.GOARCH, payload); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeImage(context.Background(), d, name) })
	pushed, err := d.cli.ImagePush(t.Context(), name, image.PushOptions{
		RegistryAuth: base64.URLEncoding.EncodeToString([]byte("{}")), // the engine insists on one
	})
	if err != nil {
		t.Fatal(err)
	}
	defer pushed.Close()
	if err := followPull(pushed, name, nil); err != nil {
		t.Fatal(err)
	}
	removeImage(t.Context(), d, name)
	return name
}

func TestFollowPull(t *testing.T) {
	messages := `
{"status":"Pulling from library/x","id":"1"}
{"status":"Pulling fs layer","progressDetail":{},"id":"a"}
{"status":"Pulling fs layer","progressDetail":{},"id":"b"}
{"status":"Downloading","progressDetail":{"current":50,"total":100},"id":"a"}
{"status":"Download complete","progressDetail":{},"id":"a"}
{"status":"Waiting","progressDetail":{},"id":"a"}
{"status":"Extracting","progressDetail":{"current":50,"total":100},"id":"a"}
{"status":"Pull complete","progressDetail":{},"id":"a"}
{"status":"Already exists","progressDetail":{},"id":"b"}
{"status":"Digest: sha256:1"}`
	var got []float64
	err := followPull(strings.NewReader(messages), "x", func(_ string, percent float64) { got = append(got, percent) })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float64{12.5, 25, 37.5, 50, 100}, got); diff != "" {
		t.Errorf("percent (-want +got):\n%s", diff)
	}
}

func TestFollowPullFails(t *testing.T) {
	for name, messages := range map[string]string{
		"said by the engine": `{"error":"manifest unknown"}`,
		"cut off":            `{"status":"Downloa`,
	} {
		if err := followPull(bytes.NewBufferString(messages), "x", nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
