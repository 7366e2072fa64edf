package pgconn

import "crypto/tls"

// Encrypted reports whether a connection of a Connector goes over TLS.
func Encrypted(raw any) bool {
	_, ok := raw.(*conn).link.Conn.(*tls.Conn)
	return ok
}
