package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/versions"

	"github.com/itechsmart/vm/runtime"
)

// minAPI is the API of release 20.10.
const minAPI = "1.41"

// engine is what the driver needs to know of an engine.
type engine struct {
	id         string
	version    string
	arch       string // as in an image: amd64, arm64
	cpus       int
	runtimes   []string // sorted
	storage    string   // storage driver
	backing    string   // file system below overlay2
	diskLimit  bool     // takes a container's disk size
	cpuLimit   bool
	memLimit   bool
	swapLimit  bool
	pidsLimit  bool
	cgroup     string // "1" or "2"
	rootless   bool
	seccompOff bool
}

// engine asks the engine about itself. The answer is not kept: asking takes a
// few milliseconds, and an engine may be exchanged at any time.
func (d *Driver) engine(ctx context.Context) (engine, error) {
	info, err := d.cli.Info(ctx)
	if err != nil {
		return engine{}, d.explain(ctx, "docker engine", err)
	}
	// Info has negotiated the version.
	if have := d.cli.ClientVersion(); versions.LessThan(have, minAPI) {
		err := fmt.Errorf("%w: docker engine %s speaks API %s, %s is needed",
			runtime.ErrUnavailable, info.ServerVersion, have, minAPI)
		return engine{}, runtime.WithHint(err, "update the Docker Engine to 20.10 or later")
	}
	if info.OSType != "linux" {
		err := fmt.Errorf("%w: docker engine runs %s containers", runtime.ErrUnavailable, info.OSType)
		return engine{}, runtime.WithHint(err, "switch the engine to Linux containers")
	}
	e := describe(info)
	e.diskLimit = d.takesDiskLimit(ctx, e)
	return e, nil
}

func describe(info system.Info) engine {
	e := engine{
		id: info.ID, version: info.ServerVersion, arch: goArch(info.Architecture), cpus: info.NCPU,
		storage: info.Driver, cgroup: info.CgroupVersion,
		cpuLimit: info.CPUCfsQuota, memLimit: info.MemoryLimit, swapLimit: info.SwapLimit, pidsLimit: info.PidsLimit,
		seccompOff: !slices.ContainsFunc(info.SecurityOptions, func(o string) bool { return strings.HasPrefix(o, "name=seccomp") }),
		rootless:   slices.Contains(info.SecurityOptions, "name=rootless"),
	}
	for _, status := range info.DriverStatus {
		if status[0] == "Backing Filesystem" {
			e.backing = status[1]
		}
	}
	for name := range info.Runtimes {
		e.runtimes = append(e.runtimes, name)
	}
	slices.Sort(e.runtimes)
	return e
}

// goArch translates the kernel's name of an architecture (uname -m).
func goArch(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return machine
}

// enforcement is how hard the engine holds the limits of every machine.
func (e engine) enforcement() runtime.Enforcement {
	hardIf := func(can bool) runtime.Strength {
		if can {
			return runtime.Hard
		}
		return runtime.None
	}
	held := runtime.Enforcement{
		CPU: hardIf(e.cpuLimit), Memory: hardIf(e.memLimit), Pids: hardIf(e.pidsLimit),
		Disk: runtime.Watched, Network: runtime.Hard,
	}
	if e.diskLimit {
		held.Disk = runtime.Hard
	}
	return held
}
