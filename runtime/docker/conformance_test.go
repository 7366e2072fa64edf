package docker

import (
	"testing"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/runtimetest"
)

func TestConformance(t *testing.T) {
	runtimetest.Run(t, func(t *testing.T) runtime.Driver { return newDriver(t) },
		runtimetest.Options{Image: emptyImage(t, newDriver(t))})
}
