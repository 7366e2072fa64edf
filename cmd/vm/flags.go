package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// secondsFlag takes a duration such as 5s, 1m30s or 90; nil = not given.
type secondsFlag struct{ value *float64 }

var _ pflag.Value = (*secondsFlag)(nil)

// Set implements pflag.Value.
func (f *secondsFlag) Set(s string) error {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 5s, 1m30s or 90", s)
		}
		v = d.Seconds()
	}
	f.value = &v
	return nil
}

// Type implements pflag.Value.
func (f *secondsFlag) Type() string { return "duration" }

func (f *secondsFlag) String() string {
	if f.value == nil {
		return ""
	}
	return strconv.FormatFloat(*f.value, 'g', -1, 64)
}

// mebibytesFlag takes a size such as 512 (MiB), 512M or 1.5G; nil = not given.
type mebibytesFlag struct{ value *int }

var _ pflag.Value = (*mebibytesFlag)(nil)

// Set implements pflag.Value.
func (f *mebibytesFlag) Set(s string) error {
	number := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(strings.TrimSpace(s)), "B"), "I")
	unit := 1.0
	for letter, mib := range map[string]float64{"K": 1.0 / 1024, "M": 1, "G": 1024, "T": 1 << 20} {
		if rest, ok := strings.CutSuffix(number, letter); ok {
			number, unit = rest, mib
			break
		}
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	v = math.Ceil(v * unit)
	if err != nil || math.IsNaN(v) || math.Abs(v) > math.MaxInt32 {
		return fmt.Errorf("%q is not a size such as 512 (MiB), 512M or 1.5G", s)
	}
	n := int(v)
	f.value = &n
	return nil
}

// Type implements pflag.Value.
func (f *mebibytesFlag) Type() string { return "size" }

func (f *mebibytesFlag) String() string {
	if f.value == nil {
		return ""
	}
	return strconv.Itoa(*f.value)
}

// given is a flag's value, or nil when it was not given.
func given[T any](flags *pflag.FlagSet, name string, value T) *T {
	if !flags.Changed(name) {
		return nil
	}
	return &value
}

// pairsOf reads KEY=VALUE arguments.
func pairsOf(flag string, list []string) (map[string]string, error) {
	pairs := map[string]string{}
	for _, item := range list {
		key, value, ok := strings.Cut(item, "=")
		if !ok || key == "" {
			return nil, usage("write it as --"+flag+" KEY=VALUE", "--%s %s has no value", flag, item)
		}
		pairs[key] = value
	}
	return pairs, nil
}
