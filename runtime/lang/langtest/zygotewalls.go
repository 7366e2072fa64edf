package langtest

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/lang"
)

// What Python does with the interpreter that waits for the next execution: a
// process with the same parent. zygote is its pid.
const findZygote = `
import os
others = [int(p) for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()]
parents = {}
for p in others:
    try:
        parents[p] = int(open("/proc/%d/stat" % p).read().rsplit(")", 1)[1].split()[1])
    except OSError:
        pass
[zygote] = [p for p in parents if parents[p] == os.getppid()]
`

// attack tries to look into the zygote and to change it. What is allowed among
// programs of one user, such as limits, must not reach the next execution.
const attack = findZygote + `
import ctypes, resource
def refused(f):
    try:
        f()
    except OSError as e:
        return type(e).__name__
    return "allowed"
def trace():
    if ctypes.CDLL(None, use_errno=True).ptrace(16, zygote, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
print(refused(lambda: open("/proc/%d/mem" % zygote, "r+b")), refused(lambda: os.listdir("/proc/%d/fd" % zygote)), refused(trace))
print(refused(lambda: os.readlink("/proc/%d/cwd" % zygote)))
try:
    resource.prlimit(zygote, resource.RLIMIT_NOFILE, (64, 64))
    os.setpriority(os.PRIO_PROCESS, zygote, 19)
except OSError:
    pass
`

const bounds = `
import os, resource
print(resource.getrlimit(resource.RLIMIT_NOFILE), os.getpriority(os.PRIO_PROCESS, 0))
`

// userPackage puts a package where pip does, with what it has done at the start of
// every interpreter, and takes it away again.
const (
	userPackage = `
import os, site
folder = site.getusersitepackages()
os.makedirs(folder)
open(folder + "/vm_package.py", "w").write("answer = 42\n")
open(folder + "/vm_package.pth", "w").write("import sys; sys.vm_package = 'at the start'\n")
open(folder + "/usercustomize.py", "w").write("print('user')\n")
`
	useUserPackage   = "import sys, vm_package\nprint(sys.vm_package, vm_package.answer, sys.path)"
	noUserPackage    = "import os, shutil, site\nshutil.rmtree(os.path.expanduser('~/.local'))"
	customize        = "open('sitecustomize.py', 'w').write('import sys; sys.custom = 1')"
	customized       = "import sys\nprint(sys.custom)"
	noCustomize      = "import os, shutil\nos.remove('sitecustomize.py'); shutil.rmtree('__pycache__', True)"
	stopZygote       = findZygote + "os.kill(zygote, 19)"
	killZygote       = findZygote + "os.kill(zygote, 9)"
	leaveSomeone     = "import subprocess\nsubprocess.Popen(['sleep', '1000'], start_new_session=True)\nprint('left')"
	saysHash         = "print(hash('a text'))"
	sleepsForeverPy  = "import time\nprint('ready', flush=True)\ntime.sleep(1000)"
	ignoresInterrupt = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready')\nwhile True: pass"
)

// runForkedWalls holds an interpreter that waits to being nobody's but the guest's,
// and to being given up for what only a new one has.
func runForkedWalls(t *testing.T, client *agent.Client, l lang.Language, host, must bool) {
	c := &talk{T: t, client: client, lang: l, host: host, turns: 1000} // beyond those of runForked
	c.skipUnforkable(must)
	before, _ := c.try(bounds, true)
	attacked, _ := c.try(attack, true)
	if want := "PermissionError PermissionError PermissionError\nPermissionError\n"; attacked.Stdout != want || attacked.ExitCode != 0 {
		t.Errorf("attacks on the interpreter that waits: %+v, want %q", attacked, want)
	}
	for _, forked := range []bool{false, true} {
		if after, _ := c.try(bounds, forked); after != before {
			t.Errorf("after them (forked: %t): %+v, want %+v", forked, after, before)
		}
	}
	for _, end := range []string{stopZygote, killZygote, leaveSomeone} {
		c.try(end, true)
		c.again(before)
	}
	c.limits()
	c.installs()
	c.starts()
	c.counts()
	c.hashes()
}

// again has one more execution, forked or not.
func (c *talk) again(want alike) {
	c.Helper()
	r := execute(c.T, c.client, c.plan("", bounds))
	if string(r.Stdout.Head) != want.Stdout || r.ExitCode != 0 {
		c.Errorf("the next execution: %s, code %d, %q, want %q\n%s", r.Verdict, r.ExitCode, r.Stdout.Head, want.Stdout, r.Stderr.Head)
	}
}

// limits: a forked program ends as any other when its time is over.
func (c *talk) limits() {
	c.Helper()
	c.try("", true)
	run := c.plan("", ignoresInterrupt)
	run.Timeout = time.Second
	if r := execute(c.T, c.client, run); r.Verdict != agent.Timeout || string(r.Stdout.Head) != "ready\n" {
		c.Errorf("an endless loop: %s, %q", r.Verdict, r.Stdout.Head)
	}
}

// installs: packages that came after the interpreter had been started are found.
func (c *talk) installs() {
	c.Helper()
	c.try(userPackage, true)
	started, _ := c.try(useUserPackage, false)
	forked, _ := c.try(useUserPackage, true)
	c.try(noUserPackage, false)
	if started != forked || !strings.HasPrefix(forked.Stdout, "user\nat the start 42 ") {
		c.Errorf("a package of the user's: started %+v, forked %+v", started, forked)
	}
}

// starts: what acts at the start of an interpreter has one started.
func (c *talk) starts() {
	c.Helper()
	c.try(customize, true)
	r := execute(c.T, c.client, c.plan("", customized))
	c.try(noCustomize, false)
	if r.Forked || string(r.Stdout.Head) != "1\n" {
		c.Errorf("with a module sitecustomize: forked %t, %q\n%s", r.Forked, r.Stdout.Head, r.Stderr.Head)
	}
	c.try("", true)
	run := c.plan("", "import sys\nprint(sys.flags.optimize)")
	run.Env = append(run.Env, "PYTHONOPTIMIZE=2")
	if r := execute(c.T, c.client, run); r.Forked || string(r.Stdout.Head) != "2\n" {
		c.Errorf("with a variable of Python's: forked %t, %q\n%s", r.Forked, r.Stdout.Head, r.Stderr.Head)
	}
}

// counts: what waits is not what runs. One is not even started while a program is
// there that could look into it.
func (c *talk) counts() {
	c.Helper()
	c.try("", true)
	sleeper := c.plan("", sleepsForeverPy)
	started, done := make(chan struct{}), make(chan struct{})
	ready := sync.OnceFunc(func() { close(started) })
	go func() {
		defer close(done)
		_, err := c.client.Run(c.Context(), sleeper, func(agent.Stream, []byte) { ready() })
		if err != nil {
			c.Errorf("a program that sleeps: %v", err)
		}
	}()
	<-started
	if s, err := c.client.Stats(c.Context()); err != nil || s.Pids != 1 {
		c.Errorf("one program of one thread counts as %d, %v", s.Pids, err)
	}
	for range 3 {
		r := execute(c.T, c.client, c.plan("", "print(1)"))
		if r.Forked {
			c.Errorf("an interpreter was started to wait while a program was running")
		}
	}
	if err := c.client.Kill(c.Context(), sleeper.ID, agent.Cancelled); err != nil {
		c.Errorf("ending the program that sleeps: %v", err)
	}
	<-done
}

// hashes: not all executions have the hash seed of one interpreter.
func (c *talk) hashes() {
	c.Helper()
	first, _ := c.try(saysHash, true)
	for deadline := time.Now().Add(forkPatience); ; time.Sleep(500 * time.Millisecond) {
		if next, _ := c.try(saysHash, true); next.Stdout != first.Stdout {
			return
		}
		if time.Now().After(deadline) {
			c.Errorf("all executions have one hash seed")
			return
		}
	}
}
