package docker

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/runtime"
)

var started = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

var hard = runtime.Enforcement{
	CPU: runtime.Hard, Memory: runtime.Hard, Disk: runtime.Hard, Pids: runtime.Hard, Network: runtime.Hard,
}

func TestHostConfigHolds(t *testing.T) {
	spec := runtime.Spec{
		Ref:       runtime.Ref{Instance: "abc", VM: 7},
		Limits:    runtime.Limits{CPU: 0.5, MemoryMiB: 512, DiskMiB: 1024, Pids: 256},
		Network:   runtime.Network{Mode: runtime.NetworkFull},
		Isolation: "runsc",
	}
	host := hostConfig(spec, hard, engine{cpus: 2, storage: "btrfs"}, 100<<20, "volume")
	type held struct {
		CPU, Memory, Swap, Pids      int64
		Disk, Network, Runtime       string
		Drop                         []string
		Privileged, WritableAgent    bool
		NoNewPrivileges, OOMDisabled bool
	}
	got := held{
		CPU: host.NanoCPUs, Memory: host.Memory, Swap: host.MemorySwap - host.Memory, Pids: *host.PidsLimit,
		Disk: host.StorageOpt["size"], Network: string(host.NetworkMode), Runtime: host.Runtime,
		Drop: host.CapDrop, Privileged: host.Privileged, WritableAgent: !host.Mounts[0].ReadOnly,
		NoNewPrivileges: slices.Contains(host.SecurityOpt, "no-new-privileges"),
		OOMDisabled:     host.OomKillDisable != nil && *host.OomKillDisable,
	}
	want := held{
		CPU: 5e8, Memory: 512 << 20, Pids: 256 + agentPids, Disk: "1178599424", // with the image's 100 MiB
		Network: "itechsmart-abc", Runtime: "runsc", Drop: []string{"ALL"}, NoNewPrivileges: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHostConfigLeavesOutWhatTheEngineRefuses(t *testing.T) {
	none := runtime.None
	host := hostConfig(runtime.Spec{Limits: runtime.Limits{CPU: 1, MemoryMiB: 1, DiskMiB: 1, Pids: 1}},
		runtime.Enforcement{CPU: none, Memory: none, Disk: runtime.Watched, Pids: none}, engine{cpus: 2}, 0, "volume")
	if host.NanoCPUs != 0 || host.Memory != 0 || host.PidsLimit != nil || host.StorageOpt != nil {
		t.Errorf("%+v", host.Resources)
	}
}

func TestLabelsRoundTrip(t *testing.T) {
	spec := runtime.Spec{
		Ref: runtime.Ref{Instance: "abc", VM: 7}, Name: "my vm", User: "ann", Language: "python",
		Labels: map[string]string{"itechsmart.vm": "9", "team": "blue"},
	}
	weak := hard
	weak.Disk = runtime.Watched
	labels := machineLabels(spec, weak, started)
	got, ours := machineFromLabels(labels)
	want := runtime.Machine{Ref: spec.Ref, Enforcement: weak, Owner: runtime.Self()}
	if diff := cmp.Diff(want, got); diff != "" || !ours {
		t.Errorf("ours %v (-want +got):\n%s", ours, diff)
	}
	if labels[labelOwn+"team"] != "blue" || labels[labelCreated] != "2026-05-04T03:02:01Z" {
		t.Errorf("%v", labels)
	}
}

func TestStrangersAreNotOurs(t *testing.T) {
	for _, labels := range []map[string]string{
		nil,
		{labelInstance: "abc"},
		{labelVM: "7"},
		{labelInstance: "abc", labelVM: "seven"},
	} {
		if machine, ours := machineFromLabels(labels); ours {
			t.Errorf("%v is taken for %+v", labels, machine)
		}
	}
}

func TestHostname(t *testing.T) {
	for name, want := range map[string]string{
		"":                       "vm",
		"---":                    "vm",
		"Ann's VM_1":             "ann-s-vm-1",
		"..":                     "vm",
		"日本":                     "vm",
		strings.Repeat("a", 300): strings.Repeat("a", 63),
	} {
		if got := hostname(name); got != want {
			t.Errorf("hostname(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestParseConsole(t *testing.T) {
	got := parseConsole("2026-05-04T03:02:01.5Z a b\nno time\n2026-05-04T03:02:02Z \n")
	want := []runtime.LogLine{
		{Time: started.Add(time.Second / 2), Stream: "console", Text: "a b"},
		{Time: started.Add(time.Second), Stream: "console"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
