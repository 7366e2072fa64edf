package guest

import "time"

// OwnPids is how many processes and threads the guest and its idle supervisors
// take at most, for drivers to add to a machine's process limit. A supervisor
// takes some ten; runs beyond the second at one time have one more each.
const OwnPids = 40

// WaitingPids is how many processes and threads the interpreters take that wait
// for programs: two each, and one while they fork. They are in the programs' own
// control group, for drivers to add to its limit.
const WaitingPids = 6

// ProxyAddress is where a machine with an allowlist has its proxy, unless there
// is a reason for another place.
const ProxyAddress = "127.0.0.1:3128"

// Config of a guest. Drivers write it as JSON.
type Config struct {
	// Env is the environment of every run, as KEY=VALUE. HOME, USER and PATH
	// have defaults.
	Env []string `json:"env,omitempty"`
	// InheritEnv puts the guest's own environment below Env: that of a
	// container's image.
	InheritEnv bool `json:"inheritEnv,omitempty"`
	// UID and GID are the ordinary user that programs run as and that owns their
	// files. They count only when the guest is root; 0 = 1000.
	UID int `json:"uid,omitempty"`
	GID int `json:"gid,omitempty"`
	// AllowRoot lets a run ask for the machine's root.
	AllowRoot bool `json:"allowRoot,omitempty"`
	// Home is the default working directory, made at the start and given to the
	// ordinary user. Empty = /home/vm.
	Home string `json:"home,omitempty"`
	// CgroupRoot is where the machine's own cgroup is mounted, v1 (one folder a
	// controller) or v2. Counters that are not there are done without. Empty =
	// none of them is.
	CgroupRoot string `json:"cgroupRoot,omitempty"`
	// Workload is the control group of the programs, below the guest's own.
	// nil = they share one.
	Workload *Workload `json:"workload,omitempty"`
	// Nice is by how much programs step back behind the guest when they compete
	// for the processor, as of nice(2): for machines where both share a control
	// group, and a fork bomb would leave the guest nothing.
	Nice int `json:"nice,omitempty"`
	// DiskPath is a folder of the file system that is the machine's own, whose
	// free space is its disk limit. Empty = the disk is not its own.
	DiskPath string `json:"diskPath,omitempty"`
	// WatchMemory (bytes) and WatchPids (processes and threads) are limits of
	// the whole workload that no cgroup holds: the guest looks several times a
	// second and kills the largest run. 0 = not watched.
	WatchMemory int64 `json:"watchMemory,omitempty"`
	WatchPids   int   `json:"watchPids,omitempty"`

	// Proxy is where the guest listens, inside the machine, for programs that want
	// to reach hosts: a loopback address such as 127.0.0.1:3128, or with port 0
	// for any. It connects them through a client that offered to (see
	// agent.Client.OfferDial), and every run's environment names it as the proxy.
	// Empty = no proxy.
	Proxy string `json:"proxy,omitempty"`

	// StopGrace is how long programs have to heed SIGTERM when the guest is told
	// to end. 0 = 10 s.
	StopGrace time.Duration `json:"stopGrace,omitempty"`

	// Starter starts the programs; nil = as processes of this machine.
	Starter Starter `json:"-"`
}

// Workload leads into a control group by descriptors of open files, which the
// guest inherits: a thread that writes 0 to every file of Enter has joined the
// group of the programs, and to every file of Leave the guest's. Both have one
// for each hierarchy; those files are tasks on version 1 and cgroup.threads on
// version 2.
type Workload struct {
	Enter []int `json:"enter"`
	Leave []int `json:"leave"`
	// Folder below Config.CgroupRoot that shows the programs' group; empty when
	// CgroupRoot is that itself.
	Folder string `json:"folder,omitempty"`
}
