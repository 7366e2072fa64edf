package main

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
	"github.com/itechsmart/vm/runtime"
)

// How VMs and executions are worded, in whatever command shows them.

// statusColour is how a VM's status looks.
func statusColour(status string) show.Colour {
	switch status {
	case "running":
		return show.Green
	case "stopped":
		return show.Dim
	case "error":
		return show.Red
	}
	return show.Yellow
}

// verdictColour is how an execution's verdict looks.
func verdictColour(e handlers.Execution) show.Colour {
	switch {
	case e.Verdict == "running":
		return show.Cyan
	case e.Verdict == "exited" && e.ExitCode == 0:
		return show.Green
	case e.Verdict == "exited", e.Verdict == "cancelled":
		return show.Yellow
	}
	return show.Red
}

// exitText is an execution's exit code, where there is one.
func exitText(e handlers.Execution) string {
	if e.Verdict == "running" || e.ExitCode < 0 {
		return ""
	}
	return strconv.Itoa(e.ExitCode)
}

// madeOf says what a VM is made of.
func madeOf(vm handlers.VM) string {
	switch {
	case vm.Image != "":
		return vm.Image + " on " + vm.Runtime
	case vm.Language != "":
		return "this machine's " + vm.Language + " on " + vm.Runtime
	}
	return "this machine's toolchains on " + vm.Runtime
}

// limitFields are a VM's limits, with those that are not held hard marked.
func limitFields(vm handlers.VM) []show.Field {
	held := vm.Enforcement
	return []show.Field{
		{Name: "cpu", Value: limit(show.Cores(vm.CPULimit), held.CPU)},
		{Name: "memory", Value: limit(show.Size(float64(vm.MemoryLimit)), held.Memory)},
		{Name: "disk", Value: limit(show.Size(float64(vm.DiskLimit)), held.Disk)},
		{Name: "processes", Value: limit(strconv.Itoa(vm.PidsLimit), held.Pids)},
		{Name: "network", Value: limit(networkText(vm.Network), held.Network)},
	}
}

// limit words a limit and how hard it is held; hard is what one expects.
func limit(text string, held runtime.Strength) string {
	switch held {
	case runtime.Watched:
		return text + ", watched"
	case runtime.None:
		return text + ", not enforced here (vm doctor)"
	}
	return text
}

func networkText(n runtime.Network) string {
	if len(n.Allow) > 0 {
		return string(n.Mode) + ": " + strings.Join(n.Allow, ", ")
	}
	return string(cmp.Or(n.Mode, runtime.NetworkNone))
}

// labelsText is a VM's labels in one line.
func labelsText(labels map[string]string) string {
	var list []string
	for _, key := range sortedKeys(labels) {
		list = append(list, key+"="+labels[key])
	}
	return strings.Join(list, " ")
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
