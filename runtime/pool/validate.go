package pool

import (
	"errors"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/egress"
)

// The most that can be asked for. They guard against typing errors; what the
// machine has is the engine's to judge.
const (
	maxCPU       = 1024
	maxMemoryMiB = 16 << 20 // 16 TiB
	maxDiskMiB   = 64 << 20 // 64 TiB
	minMemoryMiB = 16       // less does not hold an interpreter
	minDiskMiB   = 16
	minPids      = 8
	maxPids      = 1 << 22 // the kernel's own PID_MAX_LIMIT on 64 bit, proc(5)
	maxLabels    = 64
	maxEnv       = 256
)

var (
	validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	validKey  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	validLab  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._/-]{0,62})$`)
)

// validate checks everything of a request that needs no driver.
func (r *CreateRequest) validate(d Defaults) error {
	for _, check := range []func(Defaults) error{
		r.checkName, r.checkLimits, r.checkTimes, r.checkNetwork, r.checkMaps, r.checkImage,
	} {
		if err := check(d); err != nil {
			return err
		}
	}
	return nil
}

func (r *CreateRequest) checkName(Defaults) error {
	if !validName.MatchString(r.Name) {
		return invalid("name", "a VM cannot be named %s: letters, digits, dot, dash and underscore are allowed, at most 63, beginning with a letter or digit", quote(r.Name))
	}
	if strings.Trim(r.Name, "0123456789") == "" {
		return invalid("name", "a VM cannot be named %s: digits alone would be taken for its id", quote(r.Name))
	}
	return nil
}

func (r *CreateRequest) checkLimits(Defaults) error {
	if c := r.CPU; c != nil && !(*c >= 0.01 && *c <= maxCPU) {
		return invalid("cpuLimit", "cpuLimit is %g cores; it must be between 0.01 and %d", *c, maxCPU)
	}
	for _, l := range []struct {
		field     string
		value     *int
		low, high int
		unit      string
	}{
		{"memoryLimit", r.MemoryMiB, minMemoryMiB, maxMemoryMiB, " MiB"},
		{"diskLimit", r.DiskMiB, minDiskMiB, maxDiskMiB, " MiB"},
		{"pidsLimit", r.Pids, minPids, maxPids, ""},
	} {
		if l.value != nil && (*l.value < l.low || *l.value > l.high) {
			return invalid(l.field, "%s is %d%s; it must be between %d and %d", l.field, *l.value, l.unit, l.low, l.high)
		}
	}
	return nil
}

func (r *CreateRequest) checkTimes(d Defaults) error {
	if err := checkTimeout(r.Timeout, d.MaxTimeout); err != nil {
		return err
	}
	const year = 365 * 24 * time.Hour
	for field, v := range map[string]*float64{"idleTimeout": r.IdleTimeout, "ttl": r.TTL} {
		if v != nil && !(*v >= 0 && *v <= year.Seconds()) {
			return invalid(field, "%s is %g seconds; it must be between 0, which means never, and a year", field, *v)
		}
	}
	return nil
}

// checkTimeout checks an execution's time limit in seconds; nil = the default.
func checkTimeout(v *float64, most time.Duration) error {
	if v == nil {
		return nil
	}
	if math.IsNaN(*v) || *v <= 0 || *v > most.Seconds() {
		return invalid("timeout", "timeout is %g seconds; it must be above 0 and at most %g", *v, most.Seconds())
	}
	return nil
}

func (r *CreateRequest) checkNetwork(Defaults) error {
	if r.Network == nil {
		return nil
	}
	switch r.Network.Mode {
	case runtime.NetworkNone, runtime.NetworkFull:
		if len(r.Network.Allow) > 0 {
			return invalid("network.allow", "a list of domains goes with the network mode allowlist")
		}
	case runtime.NetworkAllowlist:
		return checkAllowlist(r.Network.Allow)
	default:
		return invalid("network.mode", "there is no network mode %s: it is none, allowlist or full", quote(string(r.Network.Mode)))
	}
	return nil
}

// checkAllowlist checks what a VM may reach.
func checkAllowlist(entries []string) error {
	if len(entries) == 0 {
		return &Error{Kind: ErrInvalid, Field: "network.allow", Message: "the network mode allowlist needs at least one domain",
			Hint: "list domains such as example.com or *.example.com:8443, or use the network mode none"}
	}
	_, err := egress.Parse(entries)
	var wrong *egress.EntryError
	switch {
	case errors.As(err, &wrong):
		return invalid("network.allow", "%s cannot be allowed: %s", quote(wrong.Entry), wrong.Reason)
	case err != nil:
		return invalid("network.allow", "the allowlist is too long: %v", err)
	}
	return nil
}

func (r *CreateRequest) checkMaps(Defaults) error {
	if len(r.Env) > maxEnv {
		return invalid("env", "env has %d entries; at most %d are allowed", len(r.Env), maxEnv)
	}
	if err := checkEnv(r.Env); err != nil {
		return err
	}
	if len(r.Labels) > maxLabels {
		return invalid("labels", "there are %d labels; at most %d are allowed", len(r.Labels), maxLabels)
	}
	for k, v := range r.Labels {
		if !validLab.MatchString(k) || len(v) > 256 || strings.ContainsAny(v, "\x00\n") {
			return invalid("labels", "label %s is not valid: a key has letters, digits, dot, dash, slash and underscore; a value is one line of at most 256 bytes", quote(k))
		}
	}
	return nil
}

// checkEnv checks names and values of environment variables.
func checkEnv(env map[string]string) error {
	for k, v := range env {
		if !validKey.MatchString(k) {
			return invalid("env", "an environment variable cannot be named %s: letters, digits and underscore are allowed, not beginning with a digit", quote(k))
		}
		if strings.ContainsRune(v, 0) {
			return invalid("env", "the value of the environment variable %s contains a NUL byte", k)
		}
	}
	return nil
}

func (r *CreateRequest) checkImage(Defaults) error {
	if len(r.Image) > 512 || strings.ContainsAny(r.Image, " \t\r\n\x00") {
		return invalid("image", "%s is not an image reference such as python:3.12-slim", quote(r.Image))
	}
	return nil
}
