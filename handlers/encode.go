package handlers

import (
	"math"

	"strings"
	"time"

	"github.com/itechsmart/vm/db"
)

// How rows look on the wire.

func encodeVM(vm db.VirtualMachine) VM {
	labels := vm.Labels
	if labels == nil {
		labels = map[string]string{}
	}
	return VM{
		ID: vm.ID, Name: vm.Name, User: vm.UserName, Status: shown(vm.Status), Language: vm.Language,
		Runtime: vm.Runtime, ContainerID: vm.ContainerID, Image: vm.Image, Template: vm.Template,
		CPULimit: vm.CPULimit, MemoryLimit: vm.MemoryLimit, DiskLimit: vm.DiskLimit, PidsLimit: vm.PidsLimit,
		Timeout: vm.Timeout, IdleTimeout: vm.IdleTimeout, Network: vm.Network, Isolation: vm.Isolation, IP: vm.IP,
		Enforcement: vm.Enforcement, Labels: labels, Error: vm.Error, CreatedAt: vm.CreatedAt,
		StartedAt: known(vm.StartedAt), StoppedAt: known(vm.StoppedAt), ExpiresAt: known(vm.ExpiresAt),
	}
}

// shown is a status as the wire contract has it: it knows no starting and
// stopping.
func shown(s db.Status) string {
	switch s {
	case db.Starting:
		return string(db.Stopped)
	case db.Stopping:
		return string(db.Running)
	}
	return string(s)
}

func encodeVMs(vms []db.VirtualMachine) []VM { return encodeAll(vms, encodeVM) }

// encodeAll encodes rows one by one; no rows give an empty list, not null.
func encodeAll[From, To any](rows []From, encode func(From) To) []To {
	list := make([]To, len(rows))
	for i, r := range rows {
		list[i] = encode(r)
	}
	return list
}

// known is a time, or nil when it is not set.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func encodeExecution(e db.Execution) Execution {
	return Execution{
		ID: e.ID, VMID: e.VMID, VMName: e.VMName, Verdict: e.Verdict, Phase: e.Phase,
		Output: text(e.Output), Error: text(e.Error), ExitCode: e.ExitCode, Signal: e.Signal,
		ExecutionTime: e.ExecutionTime, CPUTime: e.CPUTime, PeakMemoryMiB: int(math.Ceil(e.PeakMemoryMiB)),
		Truncated: Truncated{Stdout: e.OutputOmitted, Stderr: e.ErrorOmitted},
		Code:      text(e.Code), Language: e.Language, Session: e.Session, Result: e.Result,
		SessionNote: e.SessionNote, CheckpointNote: e.CheckpointNote, Artifacts: encodeAll(e.Artifacts, func(a db.Artifact) Artifact { return Artifact(a) }), ExecutedAt: e.ExecutedAt.UTC(),
	}
}

// text is bytes as JSON can carry them: what is not UTF-8 becomes U+FFFD.
func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

func encodeEvent(e db.Event) Event {
	return Event{
		ID: e.ID, Time: e.Time.UTC(), Severity: e.Severity, Type: e.Type, User: e.User,
		VMID: e.VMID, VMName: e.VMName, Message: e.Message, Data: e.Data,
	}
}
