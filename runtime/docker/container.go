package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	units "github.com/docker/go-units"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent/guest"
)

// Where things are inside a machine.
const (
	agentDir    = "/.itechsmart" // the agent's volume, read-only
	agentPath   = agentDir + "/vm-agent"
	socketDir   = "/run/itechsmart" // for the container's root alone
	agentSocket = socketDir + "/agent.sock"
	homeDir     = "/home/sandbox"
)

// agentPids is what the process limit of a container has over Limits.Pids. The
// kernel counts threads: the agent, the supervisor of every run and the bridge
// of every stream are Go programs of up to a dozen threads each.
const agentPids = 96

// stopGrace is longer than any grace that Stop is given: the engine counts the
// real one and then kills.
const stopGrace = time.Hour

// lowestPriority of programs, beside the agent in their container; nice(2). Among
// containers it makes no difference: there the engine's shares count.
const lowestPriority = 19

// sandboxUser is the ordinary user, and its group, that code runs as.
const sandboxUser = 1000

// agentCapabilities are all that the container's root has: to become the
// ordinary user, to end its processes, and to place files where it may. The
// agent gives none of them to the ordinary user's programs.
var agentCapabilities = []string{"SETUID", "SETGID", "KILL", "CHOWN", "DAC_OVERRIDE", "FOWNER"}

// validate checks what no engine would take.
func validate(spec runtime.Spec) error {
	var wrong []error
	if spec.Image == "" {
		wrong = append(wrong, errors.New("a container needs an image"))
	}
	l := spec.Limits
	if !(l.CPU > 0) || l.MemoryMiB <= 0 || l.DiskMiB <= 0 || l.Pids <= 0 {
		wrong = append(wrong, fmt.Errorf("limits must be above zero: %+v", l))
	}
	if err := errors.Join(wrong...); err != nil {
		return fmt.Errorf("%w: %w", runtime.ErrInvalidSpec, err)
	}
	return nil
}

// containerConfig is what runs in a machine's container.
func containerConfig(spec runtime.Spec, held runtime.Enforcement, e engine, now time.Time) (*container.Config, error) {
	config := guest.Config{
		InheritEnv: true,
		UID:        sandboxUser,
		GID:        sandboxUser,
		AllowRoot:  true,
		Home:       homeDir,
		CgroupRoot: "/sys/fs/cgroup",
		Nice:       lowestPriority,
		StopGrace:  stopGrace,
	}
	for key, value := range spec.Env {
		config.Env = append(config.Env, key+"="+value)
	}
	if spec.Network.Mode == runtime.NetworkAllowlist {
		config.Proxy = guest.ProxyAddress
	}
	// On btrfs statfs(2) tells the free space of all containers together.
	if held.Disk == runtime.Hard && e.storage != "btrfs" {
		config.DiskPath = "/"
	}
	encoded, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	return &container.Config{
		Image:      spec.Image,
		Hostname:   hostname(spec.Name),
		User:       "0:0",
		Entrypoint: []string{agentPath, "serve", "-socket", agentSocket, "-config", string(encoded)},
		WorkingDir: "/",
		StopSignal: "SIGTERM",
		Labels:     machineLabels(spec, held, now),
		// A health check of the image would be a process in the machine.
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
	}, nil
}

// hostConfig is how a machine's container is held. What it leaves out is the
// engine's default and wanted: its seccomp profile, masked and read-only paths.
func hostConfig(spec runtime.Spec, held runtime.Enforcement, e engine, imageSize int64, agentVolume string) *container.HostConfig {
	noInit := false
	host := &container.HostConfig{
		NetworkMode:  "none",
		CgroupnsMode: container.CgroupnsModePrivate,
		IpcMode:      container.IPCModePrivate,
		CapDrop:      []string{"ALL"},
		CapAdd:       agentCapabilities,
		SecurityOpt:  []string{"no-new-privileges"},
		// When the host itself runs out of memory, sandboxes go first.
		OomScoreAdj:   500,
		ShmSize:       64 << 20, // counted as memory; the size that programs expect
		Runtime:       spec.Isolation,
		Init:          &noInit,
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		LogConfig: container.LogConfig{
			Type:   "json-file",
			Config: map[string]string{"max-size": "256k", "max-file": "2"},
		},
		Tmpfs: map[string]string{socketDir: "rw,nosuid,nodev,noexec,mode=0700,size=64k"},
		Mounts: []mount.Mount{{
			Type: mount.TypeVolume, Source: agentVolume, Target: agentDir, ReadOnly: true,
			VolumeOptions: &mount.VolumeOptions{NoCopy: true, Labels: map[string]string{labelAgent: agentVolume}},
		}},
		Resources: resources(spec.Limits, held, e),
	}
	if spec.Network.Mode == runtime.NetworkFull {
		host.NetworkMode = container.NetworkMode(networkName(spec.Instance))
	}
	if held.Disk == runtime.Hard {
		host.StorageOpt = map[string]string{
			"size": strconv.FormatInt(e.diskLimitBytes(int64(spec.Limits.DiskMiB)<<20, imageSize), 10),
		}
	}
	return host
}

// resources sets the limits that the engine can hold: it refuses a container
// with one that it cannot.
func resources(limits runtime.Limits, held runtime.Enforcement, e engine) container.Resources {
	r := container.Resources{
		// Open files stay the engine's choice: more than its own would be refused.
		Ulimits: []*units.Ulimit{{Name: "core", Soft: 0, Hard: 0}},
	}
	if held.CPU != runtime.None {
		// More cores than there are would be refused, and are no limit.
		r.NanoCPUs = int64(math.Min(limits.CPU, float64(e.cpus)) * 1e9)
	}
	if held.Memory != runtime.None {
		r.Memory = int64(limits.MemoryMiB) << 20
		r.MemorySwap = r.Memory // the two together: no swap
	}
	if held.Pids != runtime.None {
		pids := int64(limits.Pids) + agentPids
		r.PidsLimit = &pids
	}
	return r
}

// hostname makes a host name (RFC 1123) of a machine's name.
func hostname(name string) string {
	mapped := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, name)
	mapped = strings.Trim(mapped[:min(len(mapped), 63)], "-")
	if mapped == "" {
		return "vm"
	}
	return mapped
}
