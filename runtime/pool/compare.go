package pool

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/itechsmart/vm/db"
)

// Bounds of a comparison: an answer to hundreds of VMs stays one that can be
// sent and read.
const (
	diffContext = 3        // lines around each change, as diff -u has them
	diffBytes   = 64 << 10 // kept of one diff
	diffNames   = 3        // VMs that a diff's header names
)

// BatchGroup holds the VMs whose output and exit code are the same.
type BatchGroup struct {
	VMs      []db.VirtualMachine
	Output   []byte
	ExitCode int
	// Majority marks the largest group, of equally large ones that of the first
	// VM: the one that the others are compared with.
	Majority bool
	// Diff is a unified diff from the majority's output to this group's; empty
	// when the outputs are the same. One that is longer than 64 KiB ends with a
	// line that says how much was left out.
	Diff string
}

// Compare sorts what ended by itself into groups of identical output and exit
// code, the majority first, and tells how each of the others differs from it.
func Compare(items []BatchItem) []BatchGroup {
	var groups []BatchGroup
	for _, item := range items {
		if item.Err != nil {
			continue
		}
		e := item.Execution
		i := slices.IndexFunc(groups, func(g BatchGroup) bool {
			return g.ExitCode == e.ExitCode && string(g.Output) == string(e.Output)
		})
		if i < 0 {
			groups = append(groups, BatchGroup{Output: e.Output, ExitCode: e.ExitCode})
			i = len(groups) - 1
		}
		groups[i].VMs = append(groups[i].VMs, item.VM)
	}
	slices.SortStableFunc(groups, func(a, b BatchGroup) int { return cmp.Compare(len(b.VMs), len(a.VMs)) })
	if len(groups) == 0 {
		return nil
	}
	groups[0].Majority = true
	for i := range groups[1:] {
		groups[i+1].Diff = outlierDiff(groups[0], groups[i+1])
	}
	return groups
}

// outlierDiff compares two groups' outputs line by line.
func outlierDiff(majority, outlier BatchGroup) string {
	old, changed := printable(majority.Output), printable(outlier.Output)
	diff, err := udiff.ToUnified(majority.names(), outlier.names(), old, udiff.Lines(old, changed), diffContext)
	if err != nil {
		return "" // edits that were computed from the text always apply to it
	}
	return cutLines(diff, diffBytes)
}

// printable is output as a diff can carry it.
func printable(output []byte) string { return strings.ToValidUTF8(string(output), "\uFFFD") }

// names are the first of a group's VMs, for a diff's header.
func (g BatchGroup) names() string {
	var names []string
	for _, vm := range g.VMs[:min(len(g.VMs), diffNames)] {
		names = append(names, vm.Name)
	}
	text := strings.Join(names, ", ")
	if more := len(g.VMs) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// cutLines keeps the whole lines of a text that fit into most bytes, and says
// how many did not.
func cutLines(text string, most int) string {
	if len(text) <= most {
		return text
	}
	kept := text[:strings.LastIndexByte(text[:most], '\n')+1]
	return fmt.Sprintf("%s… %d more lines\n", kept, strings.Count(text[len(kept):], "\n"))
}
