package fake_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/fake"
	"github.com/itechsmart/vm/runtime/runtimetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	runtimetest.Run(t, func(*testing.T) runtime.Driver { return fake.New() }, runtimetest.Options{
		Skip: map[string]string{
			"unfitFiles":   "its files are regular files",
			"diffTraps":    "its files are regular files",
			"terminal":     "a goroutine has no terminal",
			"terminalKeys": "a goroutine has no terminal",
			"noPrivileges": "there is no kernel that could give privileges to a goroutine",
		},
	})
}
