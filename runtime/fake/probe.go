package fake

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/itechsmart/vm/runtime/runtimetest/report"
)

// subcommands of the probe.
var subcommands = map[string]program{
	"print": echo, "cat": cat, "exit": exit, "read": cat,
	"err": probeErr, "split": probeSplit, "flood": probeFlood, "greet": probeGreet,
	"raise": probeRaise, "sleep": probeSleep, "describe": probeDescribe,
	"write": probeWrite, "remove": probeRemove, "on-term": probeOnTerm,
	"cpu": probeCPU, "memory": probeMemory, "oom-storm": probeOOMStorm,
	"fork-bomb": probeForkBomb, "fork-storm": probeForkStorm,
	"daemonize": probeDaemonize, "count": probeCount,
	"network": probeNetwork, "fetch": probeFetch,
	"tree": probeTree, "spoil": probeSpoil, "listing": probeListing,
	"check": checkScript, "script": runScript, "session": keepSession,
}

func probeErr(p *process, args []string) int {
	_, err := fmt.Fprintln(p.err(), strings.Join(args, " "))
	return p.exitCode(err)
}

func probeSplit(p *process, args []string) int {
	for _, b := range []byte(args[0]) {
		if _, err := p.out().Write([]byte{b}); err != nil {
			return p.fail(err)
		}
	}
	return 0
}

func probeFlood(p *process, args []string) int {
	line := []byte("the quick brown fox jumps over the lazy dog, and once more 0123\n")
	block := bytes.Repeat(line, 1<<20/len(line))
	return p.repeat(args[0], func() error { _, err := p.out().Write(block); return err })
}

// repeat does something a number of times.
func (p *process) repeat(count string, do func() error) int {
	n, err := strconv.Atoi(count)
	for ; err == nil && n > 0; n-- {
		err = do()
	}
	return p.exitCode(err)
}

func probeGreet(p *process, _ []string) int {
	fmt.Fprintln(p.out(), "ready")
	line, err := bufio.NewReader(p.stdin).ReadString('\n')
	if err != nil {
		return p.fail(err)
	}
	fmt.Fprint(p.out(), "got ", line)
	return 0
}

func probeRaise(p *process, args []string) int {
	number, err := strconv.Atoi(args[0])
	if err != nil {
		return p.fail(err)
	}
	p.die(syscall.Signal(number))
	return 0
}

func probeSleep(p *process, args []string) int {
	fmt.Fprintln(p.out(), "ready")
	return sleep(p, args)
}

func probeDescribe(p *process, args []string) int {
	return p.report(report.Surroundings{Args: args, Env: p.spec.Env, Dir: p.spec.Dir, UID: 1000, GID: 1000})
}

func (p *process) report(v any) int { return p.exitCode(json.NewEncoder(p.out()).Encode(v)) }

func probeWrite(p *process, args []string) int {
	fmt.Fprintln(p.out(), "writing")
	name := p.path(args[0])
	if err := p.world.files.put(name, nil, 0o644); err != nil {
		return p.fail(p.check(err))
	}
	code := p.repeat(args[1], func() error { return p.check(p.world.files.grow(name, 1<<20)) })
	if code != 0 && len(args) > 2 {
		_ = p.world.files.remove(name) // the exit code tells already
	}
	return code
}

func probeRemove(p *process, args []string) int {
	return p.exitCode(p.world.files.remove(p.path(args[0])))
}

func probeOnTerm(p *process, args []string) int {
	p.heed()
	fmt.Fprintln(p.out(), "ready")
	select {
	case <-p.heeds:
	case <-p.ctx.Done():
		return 1
	}
	return p.exitCode(p.check(p.world.files.put(p.path(args[0]), []byte("heeded"), 0o644)))
}

func probeCPU(p *process, args []string) int {
	d, err := time.ParseDuration(args[0])
	if err != nil {
		return p.fail(err)
	}
	threads, err := strconv.Atoi(args[1])
	if err != nil {
		return p.fail(err)
	}
	begin, used := time.Now(), time.Duration(0)
	for time.Since(begin) < d && p.ctx.Err() == nil {
		used += p.world.compute(p, threads)
	}
	return p.report(report.CPU{Wall: time.Since(begin).Seconds(), Used: used.Seconds()})
}

func probeMemory(p *process, args []string) int {
	mib, err := strconv.Atoi(args[0])
	if err != nil {
		return p.fail(err)
	}
	fmt.Fprintln(p.out(), "allocating")
	for range mib {
		if !p.allocate(1 << 20) {
			return 1
		}
	}
	fmt.Fprintln(p.out(), "allocated", mib)
	return 0
}

// probeOOMStorm is ended as a guest ends one, at the first of its kills.
func probeOOMStorm(p *process, args []string) int {
	fmt.Fprintln(p.out(), "allocating")
	mib, err := strconv.Atoi(args[0])
	if err != nil {
		return p.fail(err)
	}
	p.allocate(int64(mib) << 20)
	return 1
}

// lingering is a program that only a signal ends, and not SIGTERM.
func lingering(p *process, _ []string) int {
	<-p.ctx.Done()
	return 1
}

func probeForkBomb(p *process, _ []string) int {
	fmt.Fprintln(p.out(), "forking")
	for count := 0; ; count++ {
		if _, err := p.spawn("sleeper", false, lingering, nil); err != nil {
			return p.fail(fmt.Errorf("%d processes, then: %w", count, err))
		}
	}
}

func probeForkStorm(p *process, args []string) int {
	fmt.Fprintln(p.out(), "forking")
	for p.ctx.Err() == nil {
		// Most of the time there is no room, which is the point.
		_, _ = p.spawn("fork-storm", false, probeForkStorm, args)
		p.world.compute(p, 1)
	}
	return 1
}

func probeDaemonize(p *process, args []string) int {
	if _, err := p.spawn("linger "+args[0], true, lingering, nil); err != nil {
		return p.fail(err)
	}
	if len(args) > 1 {
		p.heed()
	}
	fmt.Fprintln(p.out(), "ready")
	if len(args) > 1 {
		return lingering(p, nil)
	}
	return 0
}

func probeCount(p *process, args []string) int {
	_, err := fmt.Fprintln(p.out(), p.world.count("linger "+args[0]))
	return p.exitCode(err)
}

// probeNetwork: there is none in these machines.
func probeNetwork(p *process, addresses []string) int {
	const unreachable = "network is unreachable"
	r := report.Network{Lookup: unreachable, Dial: map[string]string{}}
	for _, address := range addresses {
		r.Dial[address] = unreachable
	}
	return p.report(r)
}
