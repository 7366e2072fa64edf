//go:build linux

package native

import "testing"

func TestHeld(t *testing.T) {
	for fdinfo, want := range map[string]stillness{
		"pos:\t0\nflags:\t0100000\nmnt_id:\t7\n":   quiet, // a file, to be read
		"pos:\t0\nflags:\t0100001\nmnt_id:\t7\n":   busy,
		"pos:\t0\nflags:\t0100002\nmnt_id:\t7\n":   busy,
		"pos:\t0\nflags:\t0100002\nmnt_id:\t8\n":   quiet,   // of another mount
		"pos:\t0\nflags:\t02200000\nmnt_id:\t7\n":  passing, // a folder
		"pos:\t0\nflags:\t012000000\nmnt_id:\t7\n": busy,    // a place, without being open
	} {
		if got := held(fdinfo, 7); got != want {
			t.Errorf("%q: %v, want %v", fdinfo, got, want)
		}
	}
}
