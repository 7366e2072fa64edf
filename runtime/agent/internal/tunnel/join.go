package tunnel

import (
	"io"
	"net"
	"sync"
)

// Join carries a connection through a tunnel until both ways have ended, or
// either has failed, or the tunnel is over. It closes both.
func Join(conn net.Conn, t *Tunnel) { JoinFrom(conn, conn, t) }

// JoinFrom is Join for a connection of which a part was read already: from
// continues it.
func JoinFrom(conn net.Conn, from io.Reader, t *Tunnel) {
	hangUp := sync.OnceFunc(func() {
		// Either may be closed already; there is nobody to tell.
		_ = t.Close()
		_ = conn.Close()
	})
	ended := make(chan struct{})
	go func() {
		select {
		case <-t.Done():
		case <-ended:
			return
		}
		// Over with both ways at their ends is no failure: the last bytes may
		// still be on their way from the tunnel into the connection.
		if !t.whole() {
			hangUp()
		}
	}()
	var ways sync.WaitGroup
	carry := func(to io.Writer, from io.Reader, closeWrite func() error) {
		ways.Go(func() {
			_, err := io.Copy(to, from)
			if err == nil {
				err = closeWrite()
			}
			if err != nil {
				hangUp()
			}
		})
	}
	carry(t, from, t.CloseWrite)
	carry(conn, t, func() error { return closeWrite(conn) })
	ways.Wait()
	close(ended)
	hangUp()
}

// closeWrite ends one way of a connection that can do that.
func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
