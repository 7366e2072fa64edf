//go:build linux

package native_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/itechsmart/vm/runtime/native"
)

// stateVariable makes TestMain a driver that makes machines until it is killed,
// in that state folder.
const stateVariable = "NATIVE_TEST_STATE"

// makeUntilKilled prints a line and then makes, stops, starts and removes
// machines of the instance that it is given.
func makeUntilKilled(state string) {
	instance = os.Getenv("NATIVE_TEST_INSTANCE")
	driver := native.New(native.Options{StateDir: state, Path: "/usr/bin", Agent: os.Getenv(agentVariable)})
	ctx := context.Background()
	fmt.Println("begin")
	for vm := int64(1); ; vm++ {
		s := spec(vm)
		if _, err := driver.Create(ctx, s, nil); err != nil {
			panic(err)
		}
		if err := driver.Stop(ctx, s.Ref, time.Second); err != nil {
			panic(err)
		}
		if _, err := driver.Start(ctx, s.Ref); err != nil {
			panic(err)
		}
		if err := driver.Destroy(ctx, s.Ref); err != nil {
			panic(err)
		}
	}
}

// TestKilledDriver kills a driver at any step and lets another clear up.
func TestKilledDriver(t *testing.T) {
	state := t.TempDir()
	driver := nativeDriver(t, state)
	for i := range 16 {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), stateVariable+"="+state, agentVariable+"="+agentProgram(t), "NATIVE_TEST_INSTANCE="+instance)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		_, err = bufio.NewReader(out).ReadString('\n')
		must(t, err)
		// Not a synchronisation: the moment of the kill is arbitrary.
		<-time.After(time.Duration(i) * 3 * time.Millisecond)
		must(t, cmd.Process.Kill())
		_ = cmd.Wait() // it was killed

		machines, err := driver.List(t.Context(), instance)
		must(t, err)
		for _, m := range machines {
			if !m.Owner.Gone() {
				t.Errorf("%s: owner %+v is alive", m.Ref, m.Owner)
			}
			if err := driver.Destroy(t.Context(), m.Ref); err != nil {
				t.Errorf("%s, %s: %v", m.Ref, m.State, err)
			}
		}
		assertNothingLeft(t, state)
	}
}
