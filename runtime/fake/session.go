package fake

import (
	"bufio"
	"strconv"
	"sync"
	"syscall"

	"github.com/itechsmart/vm/runtime/agent/guest"
)

// keepSession is the kernel of the probe language: it executes scripts, one
// after the other, that share what set has kept.
func keepSession(p *process, _ []string) int {
	k := &scriptKernel{process: p, shared: map[string]string{}}
	p.catches.Store(k)
	in := bufio.NewReader(p.stdin)
	if err := guest.WriteFields(p.out(), "ready"); err != nil {
		return 1
	}
	for {
		request, err := guest.ReadFields(in)
		if err != nil {
			return 1
		}
		if err := k.execute(request[0], request[1]); err != nil {
			return 1
		}
	}
}

// scriptKernel executes each script in a family of its own, so that an interrupt
// ends the script alone.
type scriptKernel struct {
	*process
	shared map[string]string

	mu      sync.Mutex // guards running
	running *family
}

func (k *scriptKernel) interrupt() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.running != nil {
		k.running.leader.die(syscall.SIGINT)
	}
}

func (k *scriptKernel) execute(folder, file string) error {
	spec := k.spec
	spec.Argv = []string{"script"}
	f := &family{world: k.world, spec: spec, streams: k.world.take(folder), members: map[*process]struct{}{}}
	begin := make(chan struct{})
	err := f.lead(func(p *process, args []string) int {
		p.vars = k.shared
		<-begin
		return runScript(p, args)
	}, []string{file})
	if err != nil {
		return err
	}
	k.setRunning(f)
	defer k.setRunning(nil)
	if err := guest.WriteFields(k.out(), "begun"); err != nil {
		return err
	}
	close(begin)
	select {
	case <-f.leader.ended:
	case <-k.ctx.Done():
	}
	f.Finish(false)
	exit := f.Wait()
	switch exit.Signal {
	case 0:
	case int(syscall.SIGINT):
		exit.Code = 128 + exit.Signal
	default: // what kills a script kills its interpreter
		k.blame(f.usage.Limit)
		k.die(syscall.Signal(exit.Signal))
	}
	return guest.WriteFields(k.out(), "done", strconv.Itoa(exit.Code), f.leader.value)
}

func (k *scriptKernel) setRunning(f *family) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running = f
}
