package native

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/cgroups"
	cgroup1 "github.com/opencontainers/cgroups/fs"
	cgroup2 "github.com/opencontainers/cgroups/fs2"
	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent/guest"
	"github.com/itechsmart/vm/runtime/native/sandbox"
)

const (
	cgroupMount  = "/sys/fs/cgroup"
	cgroupParent = "itechsmart"
	workload     = "work" // the folder of the programs in a machine's own
)

// What the guest and its supervisors may use besides the programs' limits, so
// that these never keep them from their work.
const (
	guestCPU     = 0.5 // cores
	guestMemory  = 64 * mebibyte
	guestThreads = 64
)

// cgroupTree is where machines' cgroups can be made: by controller on version 1,
// under the one key "" on version 2. It is empty when there is no such place.
type cgroupTree struct {
	version2 bool
	parents  map[string]string // controller → folder that machines' folders go into
}

// findCgroups looks for a place that this process may use.
func findCgroups(privileged bool) cgroupTree {
	switch {
	case cgroups.IsCgroup2UnifiedMode() && privileged:
		return unifiedTree(cgroupMount)
	case cgroups.IsCgroup2UnifiedMode():
		return unifiedTree(delegatedCgroup())
	case privileged:
		return legacyTree()
	default:
		// On version 1 nothing is ever delegated safely.
		return cgroupTree{}
	}
}

// legacyTree finds the controllers of version 1, also those of a hybrid system.
// Nothing is limited by cpuset; but Java takes itself to be outside of any cgroup
// when one of these four is missing: cpu, cpuacct, cpuset, memory.
func legacyTree() cgroupTree {
	parents := map[string]string{}
	for _, controller := range []string{"cpu", "cpuacct", "cpuset", "freezer", "memory", "pids"} {
		mountPoint, err := cgroups.FindCgroupMountpoint("", controller)
		if err == nil && unix.Access(mountPoint, unix.W_OK) == nil {
			parents[controller] = filepath.Join(mountPoint, cgroupParent)
		}
	}
	return cgroupTree{parents: parents}
}

// unifiedTree makes our folder in a version 2 hierarchy, with the controllers
// handed down to it.
func unifiedTree(top string) cgroupTree {
	const wanted = "+cpu +memory +pids"
	if top == "" {
		return cgroupTree{}
	}
	parent := filepath.Join(top, cgroupParent)
	if err := os.Mkdir(parent, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return cgroupTree{}
	}
	for _, folder := range []string{top, parent} {
		if err := cgroups.WriteFile(folder, "cgroup.subtree_control", wanted); err != nil {
			return cgroupTree{}
		}
	}
	return cgroupTree{version2: true, parents: map[string]string{"": parent}}
}

// delegatedCgroup returns the highest cgroup above this process that its user
// may change, as systemd gives one to each user's session manager; "" = none.
func delegatedCgroup() string {
	own, err := cgroups.ParseCgroupFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	highest := ""
	for folder := filepath.Join(cgroupMount, own[""]); len(folder) > len(cgroupMount); folder = filepath.Dir(folder) {
		// Moving a process needs the right to write cgroup.procs of the lowest
		// common ancestor as well: the chain must be unbroken.
		if unix.Access(filepath.Join(folder, "cgroup.procs"), unix.W_OK) != nil || unix.Access(folder, unix.W_OK) != nil {
			break
		}
		highest = folder
	}
	return highest
}

// has reports whether machines get a cgroup with the controller.
func (t cgroupTree) has(controller string) bool {
	return t.version2 || t.parents[controller] != ""
}

// enforcement is what the cgroups of the tree hold.
func (t cgroupTree) enforcement() (cpu, memory, pids runtime.Strength) {
	strength := func(controller string) runtime.Strength {
		if t.has(controller) {
			return runtime.Hard
		}
		return runtime.None
	}
	return strength("cpu"), strength("memory"), strength("pids")
}

// machineCgroup is one machine's cgroup: a folder per controller. In it is
// another, of the programs, with the machine's limits; the guest stays outside
// of that (guest.Workload). Version 2 forbids processes beside a group in which
// memory is limited, but lets threads be apart in what holds CPU and processes:
// there guest and programs share the memory limit. See cgroups(7).
type machineCgroup struct {
	version2 bool
	paths    map[string]string
}

func (t cgroupTree) of(ref runtime.Ref) machineCgroup {
	paths := map[string]string{}
	for controller, parent := range t.parents {
		paths[controller] = filepath.Join(parent, ref.String())
	}
	return machineCgroup{version2: t.version2, paths: paths}
}

// folders returns the cgroup's folders, each once: controllers may share one.
func (c machineCgroup) folders() []string {
	folders := slices.Sorted(maps.Values(c.paths))
	return slices.Compact(folders)
}

// workload is the part of the cgroup that is the programs'.
func (c machineCgroup) workload() machineCgroup {
	paths := map[string]string{}
	for controller, folder := range c.paths {
		switch controller {
		case "cpu", "memory", "pids", "":
			paths[controller] = filepath.Join(folder, workload)
		}
	}
	return machineCgroup{version2: c.version2, paths: paths}
}

// create makes the cgroup with its limits.
func (c machineCgroup) create(limits runtime.Limits) error {
	if len(c.paths) == 0 {
		return nil
	}
	if err := c.makeFolders(); err != nil {
		return fmt.Errorf("make a cgroup: %w", err)
	}
	programs := resources(limits.CPU, int64(limits.MemoryMiB)*mebibyte, limits.Pids+guest.WaitingPids)
	all := resources(limits.CPU+guestCPU, int64(limits.MemoryMiB)*mebibyte+guestMemory, limits.Pids+guestThreads)
	if c.version2 {
		all.Memory, programs.Memory = programs.Memory, 0
	}
	return errors.Join(c.limit(all), c.workload().limit(programs))
}

// makeFolders makes those of the machine and of its programs.
func (c machineCgroup) makeFolders() error {
	if folder := c.paths["cpuset"]; folder != "" {
		// It can be joined only once it has its parent's processors.
		const nobody = -1
		if err := (&cgroup1.CpusetGroup{}).ApplyDir(folder, &cgroups.Resources{}, nobody); err != nil {
			return err
		}
	}
	for _, folder := range append(c.folders(), c.workload().folders()...) {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	if !c.version2 {
		return nil
	}
	if err := cgroups.WriteFile(c.workload().paths[""], "cgroup.type", "threaded"); err != nil {
		return err
	}
	return cgroups.WriteFile(c.paths[""], "cgroup.subtree_control", "+cpu +pids")
}

// resources are limits as the cgroup library takes them: cores, bytes and
// processes with threads. No memory is none of its business.
func resources(cpu float64, memory int64, pids int) *cgroups.Resources {
	const period = 100_000 // µs, the kernel's own default
	most := int64(pids)
	return &cgroups.Resources{
		CpuPeriod:   period,
		CpuQuota:    int64(cpu * period),
		Memory:      memory,
		PidsLimit:   &most,
		SkipDevices: true, // there is no other device in /dev, and none can be made
	}
}

func (c machineCgroup) limit(r *cgroups.Resources) error {
	if r.Memory > 0 && c.swapAccounted() {
		r.MemorySwap = r.Memory // of both together: no swap at all
	}
	manager, err := c.manager(r)
	if err != nil {
		return fmt.Errorf("make a cgroup: %w", err)
	}
	if err := manager.Set(r); err != nil {
		return fmt.Errorf("set the limits of a cgroup: %w", err)
	}
	return nil
}

func (c machineCgroup) swapAccounted() bool {
	file := filepath.Join(c.paths["memory"], "memory.memsw.limit_in_bytes")
	if c.version2 {
		file = filepath.Join(c.paths[""], "memory.swap.max")
	}
	_, err := os.Stat(file)
	return err == nil
}

func (c machineCgroup) manager(r *cgroups.Resources) (interface {
	Set(*cgroups.Resources) error
}, error) {
	config := &cgroups.Cgroup{Resources: r}
	if c.version2 {
		return cgroup2.NewManager(config, c.paths[""])
	}
	return cgroup1.NewManager(config, c.paths)
}

// joinThread moves the calling thread, and what it starts from now on, into the
// version 1 folders. A thread moves itself in no time; moving a process from
// outside takes milliseconds.
func (c machineCgroup) joinThread() error {
	if c.version2 {
		return nil // the kernel starts the process there; see launch
	}
	for _, folder := range c.folders() {
		if err := os.WriteFile(filepath.Join(folder, "tasks"), []byte("0"), 0); err != nil {
			return fmt.Errorf("join a cgroup: %w", err)
		}
	}
	return nil
}

// open returns the version 2 folder for a process to be started in, nil on
// version 1. The caller closes it.
func (c machineCgroup) open() (*os.File, error) {
	if !c.version2 {
		return nil, nil
	}
	file, err := os.Open(c.paths[""])
	if err != nil {
		return nil, fmt.Errorf("open a cgroup: %w", err)
	}
	return file, nil
}

// ways are the files that lead a thread into the group of the programs, and back;
// see guest.Workload.
func (c machineCgroup) ways() (enter, leave []string) {
	name := "tasks"
	if c.version2 {
		name = "cgroup.threads"
	}
	for _, folder := range c.workload().folders() {
		enter = append(enter, filepath.Join(folder, name))
		leave = append(leave, filepath.Join(filepath.Dir(folder), name))
	}
	return enter, leave
}

// shownWorkload is the folder of the programs in what mounts shows; empty when
// that is it.
func (c machineCgroup) shownWorkload() string {
	if c.version2 {
		return workload
	}
	return ""
}

// mounts are what a machine sees of its cgroup: the usual place, read-only, so
// that language runtimes size themselves by it. Where the programs have a folder
// to themselves, it is that.
func (c machineCgroup) mounts() []sandbox.Mount {
	if c.version2 {
		return []sandbox.Mount{{Target: cgroupMount, Source: c.paths[""]}}
	}
	seen := maps.Clone(c.paths)
	maps.Copy(seen, c.workload().paths)
	var mounts []sandbox.Mount
	for _, controller := range slices.Sorted(maps.Keys(seen)) {
		// …/<controllers>/itechsmart/<machine>
		hierarchy := filepath.Dir(filepath.Dir(c.paths[controller]))
		m := sandbox.Mount{Target: filepath.Join(cgroupMount, filepath.Base(hierarchy)), Source: seen[controller]}
		if !slices.ContainsFunc(mounts, func(other sandbox.Mount) bool { return other.Target == m.Target }) {
			mounts = append(mounts, m)
		}
	}
	return mounts
}

// remove ends what is left in the cgroup and removes it. It is no error when
// there is none.
func (c machineCgroup) remove() error {
	populated := c.folders()
	if !c.version2 { // there the machine's own folder tells of all its threads' processes
		populated = append(populated, c.workload().folders()...)
	}
	for _, folder := range populated {
		if err := killMembers(folder); err != nil {
			return err
		}
	}
	for _, folder := range c.folders() {
		if err := cgroups.RemovePath(folder); err != nil {
			return fmt.Errorf("remove a cgroup: %w", err)
		}
	}
	return nil
}

// killMembers kills what a machine left in its cgroup. Usually that is nothing:
// the end of its process 1 ended all others.
func killMembers(folder string) error {
	pids, err := cgroups.GetPids(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list a cgroup: %w", err)
	}
	for _, pid := range pids {
		// On version 1 a process is listed for one thread: it may be a driver at
		// work on this machine.
		if ours, err := os.Readlink("/proc/self/ns/user"); err != nil || ours == userNamespace(pid) {
			continue
		}
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("end process %d of a machine: %w", pid, err)
		}
	}
	return nil
}

func userNamespace(pid int) string {
	name, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/user", pid))
	if err != nil {
		return ""
	}
	return name
}
