// Package all is the explicit list of drivers in this build.
package all

import (
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/docker"
	"github.com/itechsmart/vm/runtime/native"
)

// Options of the drivers.
type Options struct {
	StateDir string // folder for what drivers keep on this machine; made when missing
}

// Names lists the drivers, in the order in which "auto" prefers them.
var Names = []string{"docker", "native"}

// Drivers makes all drivers, in that order. They do nothing until they are
// used; the caller closes them. It fails, with a hint, when an engine's address
// in the environment makes no sense.
func Drivers(o Options) ([]runtime.Driver, error) {
	engine, err := docker.New(docker.Options{})
	if err != nil {
		return nil, err
	}
	return []runtime.Driver{engine, native.New(native.Options{StateDir: o.StateDir})}, nil
}
