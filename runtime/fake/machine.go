package fake

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent/guest"
)

// home is where programs start.
const home = "/home/vm"

// machine is one in-memory machine. While it runs it has a guest.
type machine struct {
	spec  runtime.Spec
	files *tree

	mu      sync.Mutex // guards what follows
	guest   *guest.Guest
	world   *world
	streams map[io.Closer]struct{}
	log     []runtime.LogLine
	// snapshots hold files by path; they are never changed.
	snapshots map[string]map[string]*file
	frozen    int64 // bytes of the files at the last snapshot

	serving sync.WaitGroup // of streams
}

func newMachine(spec runtime.Spec) *machine {
	return &machine{
		spec: spec, files: newTree(int64(spec.Limits.DiskMiB) << 20), streams: map[io.Closer]struct{}{},
		snapshots: map[string]map[string]*file{},
	}
}

// start does nothing when the machine runs.
func (m *machine) start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.guest != nil {
		return nil
	}
	w := newWorld(m.spec.Limits, m.files)
	config := guest.Config{Home: home, Starter: w}
	if m.spec.Network.Mode == runtime.NetworkAllowlist {
		config.Proxy = "127.0.0.1:0" // on the loopback that all of these machines share
	}
	for key, value := range m.spec.Env {
		config.Env = append(config.Env, key+"="+value)
	}
	g, err := guest.New(config)
	if err != nil {
		return err
	}
	m.guest, m.world = g, w
	m.logLocked("started")
	return nil
}

// stop gives programs grace to heed SIGTERM, then ends them and every
// connection. A second stop does nothing.
func (m *machine) stop(ctx context.Context, grace time.Duration) error {
	m.mu.Lock()
	g, w := m.guest, m.world
	m.mu.Unlock()
	if g == nil {
		return nil
	}
	if grace > 0 {
		ctx, cancel := context.WithTimeout(ctx, grace)
		defer cancel()
		w.terminate(ctx)
	}
	m.mu.Lock()
	m.guest = nil
	for stream := range m.streams {
		stream.Close()
	}
	m.logLocked("stopped")
	m.mu.Unlock()
	m.serving.Wait()
	return g.Close()
}

// serve hands a stream to the guest, which closes it.
func (m *machine) serve(stream io.ReadWriteCloser) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.guest == nil {
		stream.Close()
		return fmt.Errorf("%w: %s", runtime.ErrNotRunning, m.spec.Ref)
	}
	g := m.guest
	m.streams[stream] = struct{}{}
	m.serving.Go(func() {
		// How a client's stream ends is the client's business.
		_ = g.ServeConn(context.Background(), stream)
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.streams, stream)
	})
	return nil
}

func (m *machine) describe() runtime.Machine {
	m.mu.Lock()
	defer m.mu.Unlock()
	state := runtime.Stopped
	if m.guest != nil {
		state = runtime.Running
	}
	image := m.spec.Image
	if image == "" {
		image = "host"
	}
	return runtime.Machine{
		Ref: m.spec.Ref, State: state, ID: m.spec.Ref.String(), Image: image,
		Enforcement: enforcement, Owner: runtime.Self(),
	}
}

func (m *machine) logLocked(text string) {
	m.log = append(m.log, runtime.LogLine{Time: time.Now().UTC(), Stream: "boot", Text: text})
}

func (m *machine) lastLog(tail int) []runtime.LogLine {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]runtime.LogLine{}, m.log[max(0, len(m.log)-max(0, tail)):]...)
}
