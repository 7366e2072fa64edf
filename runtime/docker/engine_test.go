package docker

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/system"
	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime"
)

func TestNoEngine(t *testing.T) {
	d, err := New(Options{Host: "unix://" + filepath.Join(t.TempDir(), "no.sock")})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	_, err = d.Probe(t.Context())
	if !errors.Is(err, runtime.ErrUnavailable) || runtime.Hint(err) == "" {
		t.Errorf("Probe: %v, hint %q", err, runtime.Hint(err))
	}
}

func TestBadAddress(t *testing.T) {
	if _, err := New(Options{Host: "nonsense"}); err == nil || runtime.Hint(err) == "" {
		t.Errorf("%v, hint %q", err, runtime.Hint(err))
	}
}

func TestProbe(t *testing.T) {
	d := newDriver(t)
	features, err := d.Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if features.Version == "" || !slices.Contains(features.Isolations, "runc") {
		t.Errorf("%+v", features)
	}
	watched := features.Enforcement.Disk == runtime.Watched
	told := slices.ContainsFunc(features.Notes, func(n runtime.Note) bool { return n.Problem != "" && n.Mend != "" })
	if watched && !told {
		t.Errorf("the disk is watched, and no note says why: %+v", features.Notes)
	}
}

// TestEngineGoesAndComes reaches the engine through a relay that is taken away
// in the middle.
func TestEngineGoesAndComes(t *testing.T) {
	through := newDriver(t)
	spec := create(t, through)
	relay := &relay{t: t, path: filepath.Join(t.TempDir(), "s"), dial: func() (net.Conn, error) {
		return through.cli.Dialer()(t.Context())
	}}
	relay.up()
	defer relay.down()
	d, err := New(Options{Host: "unix://" + relay.path})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()

	stream, err := d.Open(t.Context(), spec.Ref)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	relay.down()
	_, _ = io.Copy(io.Discard, stream) // must end, with or without an error
	calls := map[string]func() error{
		"Probe":   func() error { _, err := d.Probe(t.Context()); return err },
		"Ready":   func() error { return d.Ready(t.Context(), spec) },
		"Inspect": func() error { _, err := d.Inspect(t.Context(), spec.Ref); return err },
		"List":    func() error { _, err := d.List(t.Context(), instance); return err },
		"Create":  func() error { _, err := d.Create(t.Context(), spec, nil); return err },
		"Destroy": func() error { return d.Destroy(t.Context(), spec.Ref) },
		"Open":    func() error { _, err := d.Open(t.Context(), spec.Ref); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, runtime.ErrUnavailable) || runtime.Hint(err) == "" {
			t.Errorf("%s without an engine: %v, hint %q", name, err, runtime.Hint(err))
		}
	}
	relay.up()
	if machine, err := d.Inspect(t.Context(), spec.Ref); err != nil || machine.State != runtime.Running {
		t.Errorf("with the engine back: %+v, %v", machine, err)
	}
}

// TestEngineDiesInTheMiddle has engines that take a connection and drop it.
func TestEngineDiesInTheMiddle(t *testing.T) {
	for name, die := range map[string]func(net.Conn){
		"before the request": func(net.Conn) {},
		"after the request":  func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) },
		"in the answer": func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			listener, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			go func() {
				for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
					die(conn)
					conn.Close()
				}
			}()
			d, err := New(Options{Host: "unix://" + path})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if _, err := d.List(t.Context(), instance); !errors.Is(err, runtime.ErrUnavailable) {
				t.Errorf("%v, want ErrUnavailable", err)
			}
		})
	}
}

// relay passes connections on to the engine while it is up.
type relay struct {
	t    *testing.T
	path string
	dial func() (net.Conn, error)

	listener net.Listener
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

func (r *relay) up() {
	listener, err := net.Listen("unix", r.path)
	if err != nil {
		r.t.Fatal(err)
	}
	r.listener = listener
	r.wg.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := r.dial()
			if err != nil {
				near.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, near, far)
			r.mu.Unlock()
			r.wg.Go(func() { pass(far, near) })
			r.wg.Go(func() { pass(near, far) })
		}
	})
}

func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	to.Close()
}

// down breaks every connection and takes no new ones. It may be repeated.
func (r *relay) down() {
	r.listener.Close()
	r.mu.Lock()
	for _, conn := range r.conns {
		conn.Close()
	}
	r.conns = nil
	r.mu.Unlock()
	r.wg.Wait()
}

func TestDescribe(t *testing.T) {
	rootless := describe(system.Info{
		ID: "x", ServerVersion: "28.1", Architecture: "aarch64", NCPU: 4, Driver: "overlay2",
		DriverStatus:    [][2]string{{"Backing Filesystem", "xfs"}},
		SecurityOptions: []string{"name=rootless"},
		Runtimes:        map[string]system.RuntimeWithStatus{"runsc": {}, "runc": {}},
		MemoryLimit:     true,
		CgroupVersion:   "2",
	})
	if rootless.arch != "arm64" || rootless.backing != "xfs" || !rootless.rootless || !rootless.seccompOff {
		t.Errorf("%+v", rootless)
	}
	if diff := cmp.Diff([]string{"runc", "runsc"}, rootless.runtimes); diff != "" {
		t.Errorf("runtimes (-want +got):\n%s", diff)
	}
	want := runtime.Enforcement{
		CPU: runtime.None, Memory: runtime.Hard, Disk: runtime.Watched, Pids: runtime.None, Network: runtime.Hard,
	}
	if diff := cmp.Diff(want, rootless.enforcement()); diff != "" {
		t.Errorf("enforcement (-want +got):\n%s", diff)
	}
	// Disk, CPU, swap, pids and seccomp.
	if notes := rootless.notes(); len(notes) != 5 {
		t.Errorf("%d notes, want 5: %+v", len(notes), notes)
	}
}
