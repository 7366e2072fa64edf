package native

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent/guest"
	"github.com/itechsmart/vm/runtime/native/internal/mount"
	"github.com/itechsmart/vm/runtime/native/sandbox"
)

// bootTimeout bounds the time until the guest answers. It takes milliseconds;
// only a host in trouble takes seconds.
const bootTimeout = 30 * time.Second

// boot starts the machine whose volume is prepared and records that it runs.
// When it fails, the process is gone or about to go; the rest is the caller's.
// Attached says that the caller has its disk in use already.
func (d *Driver) boot(ctx context.Context, f folder, r *record, attached bool) error {
	h, err := d.host()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	log, err := openBootLog(f)
	if err != nil {
		return err
	}
	defer log.close()

	b := &booting{driver: d, host: h, folder: f, record: r, log: log, attached: attached}
	defer b.closeFiles()
	if r.Disk && !attached {
		if err := awaitDetached(ctx, f.disk()); err != nil {
			return err
		}
	}
	b.cgroup = h.cgroups.of(r.Spec.Ref)
	if err := b.cgroup.create(r.Spec.Limits); err != nil {
		return err
	}
	log.add("limits set")
	if err := b.resolve(); err != nil {
		return err
	}
	if err := onOwnThread(b.launch); err != nil {
		return err
	}
	// On record before it may go on: from now on somebody else can end it.
	r.Init = b.child.owner.String()
	if err := r.write(f); err != nil {
		return err
	}
	b.mapOwners()
	if err := b.connect(); err != nil {
		return fmt.Errorf("start machine %s: %w", r.Spec.Ref, err)
	}
	err = b.child.proceed(ctx, h.identity, func(m sandbox.Message) {
		if m.Step != "" {
			log.add(m.Step)
		}
	})
	if err != nil {
		log.add("failed: " + err.Error())
		return fmt.Errorf("start machine %s: %w", r.Spec.Ref, err)
	}
	log.add("ready")
	r.Phase = running
	return r.write(f)
}

// booting is one start of a machine.
type booting struct {
	driver *Driver
	host   *host
	folder folder
	record *record
	log    *bootLog
	cgroup machineCgroup
	names  resolvConf // for a machine with an uplink

	attached bool // whether the disk is in use already

	child  *child
	binds  []*os.File // detached mounts of the host's own files
	opened []*os.File // everything to be closed, binds included
}

func (b *booting) keep(file *os.File, err error) (*os.File, error) {
	if err == nil {
		b.opened = append(b.opened, file)
	}
	return file, err
}

func (b *booting) closeFiles() {
	for _, file := range b.opened {
		_ = file.Close()
	}
}

// resolve writes down which name servers the machine asks, if it can reach any.
func (b *booting) resolve() error {
	if b.record.Spec.Network.Mode != runtime.NetworkFull {
		return nil
	}
	b.names = readResolvConf(b.driver.resolvConfs)
	if err := os.WriteFile(b.folder.resolvConf(), []byte(b.names.text), 0o644); err != nil {
		return fmt.Errorf("write the machine's resolv.conf: %w", err)
	}
	return nil
}

// connect gives the machine an uplink, if it is to have one, and records that.
func (b *booting) connect() error {
	r := b.record
	if r.Spec.Network.Mode != runtime.NetworkFull {
		return nil
	}
	u, err := connect(r.Spec.Ref, b.child.pid, b.names.servers)
	if r.Device = u.device; err != nil {
		b.child.giveUp()
		return err
	}
	r.IP = u.guest.String()
	b.log.add("connected as " + r.IP)
	if len(b.names.servers) == 0 {
		b.log.add("the host's name servers are on its loopback, where the machine does not reach them: it resolves no names")
	}
	return r.write(b.folder)
}

// launch does all that takes a thread of its own: the mounts that only the
// host's root can make, entering the cgroup, and the start from there. (Limits
// are set before: the cgroup library keeps a handle for good, which must not be
// one of a mount namespace that ends.)
func (b *booting) launch() error {
	plan, err := b.plan()
	if err != nil {
		return err
	}
	var mounts []*os.File
	if b.host.identity.privileged {
		if mounts, err = b.makeMounts(&plan); err != nil {
			return err
		}
	} else if err := prepareLayer(b.folder, b.record, b.host.identity); err != nil {
		return err
	}
	b.log.add("file systems ready")

	l := launch{identity: b.host.identity, mounts: mounts}
	if l.ways, err = b.openWays(&plan.Guest, len(mounts)); err != nil {
		return err
	}
	l.plan = plan
	if l.cgroup, err = b.cgroup.open(); err != nil {
		return err
	}
	if l.cgroup != nil {
		defer func() { _ = l.cgroup.Close() }()
	}
	if l.agent, err = b.keep(os.Open(b.host.agent)); err != nil {
		return fmt.Errorf("open the guest program: %w", err)
	}
	if l.listener, err = b.keep(listen(b.folder)); err != nil {
		return err
	}
	if l.stop, err = b.keep(stopPipe(b.folder)); err != nil {
		return err
	}
	l.console, err = b.keep(os.OpenFile(b.folder.console(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600))
	if err != nil {
		return fmt.Errorf("open the console log: %w", err)
	}
	if err := b.cgroup.joinThread(); err != nil {
		return err
	}
	b.child, err = l.start()
	return err
}

// openWays opens what leads into the programs' cgroup, and names it to the guest by
// the numbers that it gets behind so many mounts.
func (b *booting) openWays(config *guest.Config, mounts int) ([]*os.File, error) {
	enter, leave := b.cgroup.ways()
	if len(enter) == 0 {
		return nil, nil
	}
	var files []*os.File
	w := &guest.Workload{Folder: b.cgroup.shownWorkload()}
	for i, path := range slices.Concat(enter, leave) {
		file, err := b.keep(os.OpenFile(path, os.O_WRONLY, 0))
		if err != nil {
			return nil, fmt.Errorf("open a cgroup: %w", err)
		}
		files = append(files, file)
		if number := sandbox.MountFD + mounts + i; i < len(enter) {
			w.Enter = append(w.Enter, number)
		} else {
			w.Leave = append(w.Leave, number)
		}
	}
	config.Workload = w
	return files, nil
}

// plan is the machine's plan, with its mounts as paths.
func (b *booting) plan() (sandbox.Plan, error) {
	program, err := filter()
	if err != nil {
		return sandbox.Plan{}, err
	}
	r, id, limits := b.record, b.host.identity, b.record.Spec.Limits
	plan := sandbox.Plan{
		HostName:   hostName(r.Spec),
		BecomeRoot: id.manyIDs,
		Root: sandbox.Mount{Target: "/", Overlay: &sandbox.Overlay{
			Lower: r.lower(b.folder), Upper: b.folder.upper(r.Layers[0]), Work: b.folder.work(r.Layers[0]),
		}},
		Agent:    sandbox.Mount{Target: "the guest program", Source: b.host.agent},
		ShmBytes: min(int64(limits.MemoryMiB)*mebibyte/2, 64*mebibyte), // docker gives 64 MiB too
		Filter:   program,
		Guest: guest.Config{
			Env: r.environment(), UID: sandboxID, GID: sandboxID, Home: r.Base.Home,
			AllowRoot:  id.manyIDs && r.Spec.Image != "",
			CgroupRoot: cgroupMount,
			StopGrace:  time.Hour, // Stop ends it sooner
		},
	}
	for _, path := range r.Base.Binds {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue // a toolchain that was removed since
		}
		plan.Mounts = append(plan.Mounts, sandbox.Mount{Target: path, Source: path})
	}
	plan.Mounts = append(plan.Mounts, b.cgroup.mounts()...)
	if r.Disk {
		plan.Guest.DiskPath = "/"
	}
	switch r.Spec.Network.Mode {
	case runtime.NetworkAllowlist:
		plan.Guest.Proxy = guest.ProxyAddress
	case runtime.NetworkFull:
		plan.Mounts = append(plan.Mounts, sandbox.Mount{Target: "/etc/resolv.conf", Source: b.folder.resolvConf()})
	}
	if !b.host.cgroups.has("memory") {
		plan.Guest.WatchMemory = int64(limits.MemoryMiB) * mebibyte
	}
	if !b.host.cgroups.has("pids") {
		plan.Guest.WatchPids = limits.Pids
		plan.Threads = uint64(limits.Pids) + guestThreads
	}
	return plan, nil
}

// hostName is the machine's name as far as a host name can be it.
func hostName(spec runtime.Spec) string {
	name := make([]byte, 0, 63)
	for _, c := range []byte(spec.Name) {
		switch {
		case len(name) == cap(name):
			continue
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			name = append(name, c)
		case len(name) > 0:
			name = append(name, '-')
		}
	}
	if len(name) == 0 {
		return "vm"
	}
	return string(name)
}

// makeMounts makes the plan's mounts with the host's own privilege and puts
// descriptors in the place of paths.
//
// It works in a mount namespace that ends with the thread, so that the volume is
// never mounted on the host. The overlay keeps what it needs of it.
func (b *booting) makeMounts(plan *sandbox.Plan) ([]*os.File, error) {
	if err := privateMounts(); err != nil {
		return nil, err
	}
	if b.record.Disk {
		disk, err := b.keep(b.mountDisk())
		if err != nil {
			return nil, err
		}
		if err := mount.AttachAt(disk, b.folder.volume()); err != nil {
			return nil, err
		}
	}
	if err := prepareLayer(b.folder, b.record, b.host.identity); err != nil {
		return nil, err
	}
	o := plan.Root.Overlay
	root, err := b.keep(mount.Overlay(mount.Layers{Name: b.record.Layers[0], Lower: o.Lower, Upper: o.Upper, Work: o.Work}))
	if err != nil {
		return nil, err
	}
	mounts := []*os.File{root}
	plan.Root = sandbox.Mount{Target: plan.Root.Target, FD: sandbox.MountFD}
	for i := range plan.Mounts {
		if mounts, err = b.bind(mounts, &plan.Mounts[i]); err != nil {
			return nil, err
		}
	}
	return b.bind(mounts, &plan.Agent)
}

// mountDisk mounts the machine's disk, detached, and notes its device.
func (b *booting) mountDisk() (disk *os.File, err error) {
	if b.attached {
		disk, b.record.Loop, err = mountAttached(b.folder.disk(), b.record.Loop)
	} else {
		disk, b.record.Loop, err = mountDisk(b.folder.disk())
	}
	return disk, err
}

// bind makes the mount of a path and names it by its number.
func (b *booting) bind(mounts []*os.File, m *sandbox.Mount) ([]*os.File, error) {
	file, err := b.keep(mount.ReadOnlyTree(m.Source))
	if err != nil {
		return nil, err
	}
	b.binds = append(b.binds, file)
	*m = sandbox.Mount{Target: m.Target, FD: sandbox.MountFD + len(mounts)}
	return append(mounts, file), nil
}

// mapOwners shows the host's files as belonging to the machine's root instead of
// nobody, where the file system can do that. Nothing depends on it.
func (b *booting) mapOwners() {
	if len(b.binds) == 0 {
		return
	}
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/user", b.child.pid))
	if err != nil {
		return
	}
	defer func() { _ = namespace.Close() }()
	for _, bind := range b.binds {
		_ = mount.MapIDs(bind, namespace)
	}
}

// prepareLayer makes the folders that hold the machine's files, and at the first
// start the few files that are its own.
func prepareLayer(f folder, r *record, id identity) error {
	top := r.Layers[0]
	if err := os.MkdirAll(f.layer(top), 0o700); err != nil {
		return fmt.Errorf("make the layer: %w", err)
	}
	if _, err := os.Lstat(f.upper(top)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(r.Layers) > 1 {
		return emptyLayer(f, r.Layers)
	}
	b := builder{root: f.layer(top), owner: id.root}
	b.folder("upper", 0o755)
	b.root = f.upper(top)
	b.folder("/etc", 0o755)
	name := hostName(r.Spec)
	b.file("/etc/hostname", name+"\n")
	b.file("/etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\t"+name+"\n")
	for path, content := range r.Base.Files {
		b.file(path, content)
	}
	if r.Spec.Image != "" {
		b.owner = id.sandbox
		b.folder(sandboxHome, 0o755)
	}
	if b.err != nil {
		return fmt.Errorf("make the layer: %w", b.err)
	}
	return nil
}

// listen makes the guest's socket. It has no path of its own in the machine.
func listen(f folder) (*os.File, error) {
	if err := os.Remove(f.socket()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("make the guest's socket: %w", err)
	}
	var file *os.File
	err := throughFolder(f, func(folder string) error {
		listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: folder + "/agent.sock", Net: "unix"})
		if err != nil {
			return err
		}
		listener.SetUnlinkOnClose(false)
		defer func() { _ = listener.Close() }()
		file, err = listener.File()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("make the guest's socket: %w", err)
	}
	return file, nil
}

// stopPipe opens the pipe that ends the machine, for both ways so that it never
// comes to its end by itself.
func stopPipe(f folder) (*os.File, error) {
	if err := unix.Mkfifo(f.stop(), 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make the stop pipe: %w", err)
	}
	file, err := os.OpenFile(f.stop(), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open the stop pipe: %w", err)
	}
	return file, nil
}

// throughFolder calls do with a short path to the machine's folder: the path of
// a socket may have no more than 107 bytes; unix(7).
func throughFolder(f folder, do func(path string) error) error {
	dir, err := os.Open(string(f))
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }()
	return do(fmt.Sprintf("/proc/self/fd/%d", dir.Fd()))
}
