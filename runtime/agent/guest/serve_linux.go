package guest

import (
	"context"
	"errors"
	"net"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Serve is the whole life of a process that is a guest and nothing else, often
// its VM's init: it serves every client that connects to l until ctx ends or
// the process is sent SIGTERM. Programs then get SIGTERM and Config.StopGrace to
// heed it. The listener is closed.
func Serve(ctx context.Context, l net.Listener, config Config) error {
	defer l.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r := newReaper(true)
	if err := own(r, stop); err != nil {
		return err
	}
	config = config.withDefaults()
	if config.Starter == nil {
		m, err := newMachine(config, r)
		if err != nil {
			return err
		}
		config.Starter = m
	}
	g, err := New(config)
	if err != nil {
		return err
	}
	serving, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	context.AfterFunc(ctx, func() { l.Close() })
	var clients sync.WaitGroup
	for {
		conn, err := l.Accept()
		if err == nil {
			clients.Go(func() { _ = g.ServeConn(serving, conn) }) // a client's fault is its own
			continue
		}
		if ctx.Err() != nil {
			err = nil
		}
		g.Terminate(config.StopGrace)
		hangUp()
		clients.Wait()
		return errors.Join(err, g.Close())
	}
}

// own makes this process the guest's: its signals, its children, its place in
// the order of those that the kernel kills.
func own(r *reaper, stop func()) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	shrink()
	closeInherited()
	protect()
	children := make(chan os.Signal, 1)
	signal.Notify(children, unix.SIGCHLD)
	go func() {
		for range children {
			r.collect()
		}
	}()
	heed(stop)
	return nil
}

// lastWords is how long clients have to take what a guest that ends still owes.
const lastWords = time.Second

// Terminate asks every program to end, kills those that do not within grace, and
// gives the clients a moment to hear of it. New runs are refused.
func (g *Guest) Terminate(grace time.Duration) {
	for _, r := range g.shut() {
		r.askToEnd()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.lives.Wait()
	}()
	if !within(grace, ended) {
		g.killAll()
		<-ended
	}
	within(lastWords, g.handlers.idle())
}

// askToEnd sends what a program ends by, if it likes. A shell on a terminal heeds
// no SIGTERM, but a line that is hung up.
func (r *run) askToEnd() {
	sign := unix.SIGTERM
	if r.spec.Terminal != nil {
		sign = unix.SIGHUP
	}
	_ = r.signal(int(sign)) // one that has ended needs none
}
