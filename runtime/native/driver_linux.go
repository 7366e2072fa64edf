package native

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/native/internal/image"
)

// Driver makes machines on this Linux. It keeps no state of them in memory:
// every answer comes from the state folder and the kernel.
type Driver struct {
	layout  layout
	path    string
	options Options

	images *image.Store

	resolvConfs []string     // where to look for name servers
	noUplink    func() error // why machines have no uplinks here, found out once; nil = they have

	// What this host offers, found out once; see host.
	host func() (*host, error)

	probing sync.Mutex
	probed  *runtime.Features // guarded by probing; nil until a probe succeeded
}

// host is what the driver found out about where it runs.
type host struct {
	identity identity
	cgroups  cgroupTree
	disks    bool // whether machines can have disks of their own
	notes    []runtime.Note
	agent    string // the guest program
}

// New returns the driver. It touches nothing until it is used.
func New(options Options) runtime.Driver {
	state := resolve(options.StateDir)
	d := &Driver{
		layout:  layout{state},
		path:    options.Path,
		options: options,
	}
	if d.path == "" {
		d.path = os.Getenv("PATH")
	}
	d.images = &image.Store{Dir: d.layout.images()}
	d.host = sync.OnceValues(d.examine)
	d.noUplink = sync.OnceValue(d.examineUplinks)
	d.resolvConfs = resolvConfs
	if options.ResolvConf != "" {
		d.resolvConfs = []string{options.ResolvConf}
	}
	return d
}

// resolve makes a path absolute and free of links as far as it exists: loop
// devices are found again by their file's real path.
func resolve(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(absolute); err == nil {
		return real
	}
	parent := filepath.Dir(absolute)
	if parent == absolute {
		return absolute
	}
	return filepath.Join(resolve(parent), filepath.Base(absolute))
}

// Name implements runtime.Driver.
func (*Driver) Name() string { return "native" }

// Close implements runtime.Driver. Nothing is held between calls.
func (*Driver) Close() error { return nil }

// examine finds out what this host offers.
func (d *Driver) examine() (*host, error) {
	if err := os.MkdirAll(d.layout.machines(), 0o700); err != nil {
		return nil, runtime.WithHint(fmt.Errorf("make the state folder: %w: %w", err, runtime.ErrUnavailable),
			"choose a folder that you may write with XDG_STATE_HOME")
	}
	agent, err := d.agentFile()
	if err != nil {
		return nil, err
	}
	h := &host{agent: agent}
	h.identity, h.notes = findIdentity()
	h.cgroups = findCgroups(h.identity.privileged)
	h.findDisks()
	h.noteCgroups()
	h.noteSnapshots()
	return h, nil
}

// findDisks decides whether machines get disks of their own.
func (h *host) findDisks() {
	if !h.identity.privileged {
		h.notes = append(h.notes, runtime.Note{
			Problem: "The disk limit is watched, not held: an ordinary user can mount no disk.",
			Mend:    "use the docker runtime where a hard disk limit matters, or run as root",
		})
		return
	}
	if _, err := findMkfs(); err != nil {
		h.notes = append(h.notes, runtime.Note{
			Problem: "The disk limit is watched, not held: mkfs.ext4 is not installed.",
			Mend:    "sudo apt-get install e2fsprogs",
		})
		return
	}
	if unix.Access("/dev/loop-control", unix.W_OK) != nil {
		h.notes = append(h.notes, runtime.Note{
			Problem: "The disk limit is watched, not held: there is no /dev/loop-control.",
			Mend:    "sudo modprobe loop",
		})
		return
	}
	h.disks = true
}

func (h *host) noteCgroups() {
	cpu, memory, _ := h.cgroups.enforcement()
	if cpu == runtime.Hard && memory == runtime.Hard {
		return
	}
	note := runtime.Note{
		Problem: "CPU is not limited and memory is watched, not held: no cgroup can be made with these controllers.",
		Mend:    "run as root, outside a container",
	}
	if !h.identity.privileged {
		note.Mend = "on a system with cgroup v2 and systemd, start this program with: systemd-run --user --scope -p Delegate=yes"
	}
	h.notes = append(h.notes, note)
}

func (h *host) noteSnapshots() {
	if h.snapshots() != "" {
		return
	}
	note := runtime.Note{
		Problem: "There are no snapshots: they take mounts that only root can make.",
		Mend:    "run as root, or use the docker runtime",
	}
	if h.identity.privileged {
		note.Problem = "There are no snapshots: no cgroup with a freezer can be made."
		note.Mend = "run outside a container, or use the docker runtime"
	}
	h.notes = append(h.notes, note)
}

// enforcement is what a machine gets on this host.
func (h *host) enforcement() runtime.Enforcement {
	cpu, memory, pids := h.cgroups.enforcement()
	e := runtime.Enforcement{CPU: cpu, Memory: memory, Disk: runtime.Watched, Pids: pids, Network: runtime.Hard}
	if memory == runtime.None {
		e.Memory = runtime.Watched // by the guest
	}
	if pids == runtime.None {
		e.Pids = runtime.Watched
		if threadsPerNamespace() {
			e.Pids = runtime.Hard
		}
	}
	if h.disks {
		e.Disk = runtime.Hard
	}
	return e
}

// threadsPerNamespace reports whether the kernel counts a user's processes in
// each user namespace by themselves, so that RLIMIT_NPROC limits one machine.
// It does since Linux 5.14 (commit 21d1c5e386bc, "Reimplement RLIMIT_NPROC on
// top of ucounts").
func threadsPerNamespace() bool {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return false
	}
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major > 5 || major == 5 && minor >= 14
}

// identity is what this host's machines are to it; the zero value where it makes
// none.
func (d *Driver) identity() identity {
	h, err := d.host()
	if err != nil {
		return identity{}
	}
	return h.identity
}
