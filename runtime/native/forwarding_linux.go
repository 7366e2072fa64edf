package native

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/itechsmart/vm/runtime"
)

// iptables is the host's own filter, where it has one that forwards nothing unless
// told to, as a Docker Engine sets it up: our fence cannot allow what another
// filter drops.
type iptables struct{}

var forwarding iptables

// open lets the packets of a device through, after all rules that are there: what
// the host's administrator forbids by a rule of his own stays forbidden.
func (f iptables) open(ref runtime.Ref, device string) error {
	if !strings.HasPrefix(f.list(), "-P FORWARD DROP\n") {
		return nil
	}
	for _, direction := range []string{"-i", "-o"} {
		if _, err := f.run("-A", "FORWARD", direction, device, "-m", "comment", "--comment", ref.String(), "-j", "ACCEPT"); err != nil {
			return err
		}
	}
	return nil
}

// shut removes what open added.
func (f iptables) shut(ref runtime.Ref) error {
	var failed []error
	for rule := range strings.Lines(f.list()) {
		words := strings.Fields(rule)
		if !commentedBy(words, ref) {
			continue
		}
		words[0] = "-D"
		_, err := f.run(words...)
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// commentedBy reports whether a rule, as -S lists it, is one that open added.
func commentedBy(words []string, ref runtime.Ref) bool {
	for i := range len(words) - 1 {
		if words[i] == "--comment" && strings.Trim(words[i+1], `"`) == ref.String() {
			return words[0] == "-A"
		}
	}
	return false
}

// list returns the rules for forwarded packets. A filter that cannot be listed is
// one that the kernel does not have.
func (f iptables) list() string {
	if f.program() == "" {
		return ""
	}
	rules, err := f.run("-S", "FORWARD")
	if err != nil {
		return ""
	}
	return rules
}

func (f iptables) run(args ...string) (string, error) {
	// A neighbour may be at work on the rules.
	command := exec.Command(f.program(), append([]string{"--wait", "10"}, args...)...)
	var out, problem bytes.Buffer
	command.Stdout, command.Stderr = &out, &problem
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("iptables %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(problem.Bytes()))
	}
	return out.String(), nil
}

// program is where iptables is, "" = nowhere. An administrator's search path does
// not always have it.
func (iptables) program() string {
	for _, name := range []string{"iptables", "/usr/sbin/iptables", "/sbin/iptables"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}
