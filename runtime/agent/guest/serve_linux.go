package guest

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Serve is the whole life of a process that is a guest and nothing else, often
// its VM's init: it serves every client that connects to l, until ctx ends.
func Serve(ctx context.Context, l net.Listener, config Config) error {
	g, err := New(config)
	if err != nil {
		l.Close()
		return err
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var clients sync.WaitGroup
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				err = nil
			}
			clients.Wait()
			return errors.Join(err, g.Close())
		}
		clients.Go(func() { _ = g.ServeConn(ctx, conn) }) // a client's fault is its own
	}
}
