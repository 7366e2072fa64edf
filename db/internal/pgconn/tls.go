package pgconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"
)

// setTLS builds the TLS configuration for an sslmode:
//
//	disable            no TLS
//	allow, prefer      TLS when the server offers it, unverified: no help
//	                   against somebody who sits on the line
//	require            as verify-full; other clients do not verify here
//	verify-ca          TLS; the certificate's chain is verified
//	verify-full        TLS; chain and host name are verified
//
// Without an sslmode it is disable on loopback, else verify-full. A Unix socket
// never has TLS. Roots are those of the file sslrootcert, else the system's.
// sslcert and sslkey name the client's own certificate.
func (c *Config) setTLS(p parameters, host string) error {
	mode := p.take("sslmode", os.Getenv("PGSSLMODE"))
	rootFile := p.take("sslrootcert", os.Getenv("PGSSLROOTCERT"))
	certFile, keyFile := p.take("sslcert"), p.take("sslkey")
	if mode == "" {
		mode = defaultMode(host)
	}
	if c.network == "unix" || mode == "disable" {
		return nil
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	switch mode {
	case "allow", "prefer":
		config.InsecureSkipVerify = true //nolint:gosec // what the mode means
		c.tlsOptional = true
	case "verify-ca":
		config.InsecureSkipVerify = true //nolint:gosec // verified below, but for the name
		config.VerifyConnection = func(state tls.ConnectionState) error {
			return verifyChain(state, config.RootCAs)
		}
	case "require", "verify-full":
	default:
		return fmt.Errorf("database URL: sslmode is %q, want disable, prefer, require, verify-ca or verify-full", mode)
	}
	if err := loadFiles(config, rootFile, certFile, keyFile); err != nil {
		return fmt.Errorf("database URL: %w", err)
	}
	c.tls = config
	return nil
}

func defaultMode(host string) string {
	if address, err := netip.ParseAddr(host); host == "localhost" || err == nil && address.IsLoopback() {
		return "disable"
	}
	return "verify-full"
}

func loadFiles(config *tls.Config, rootFile, certFile, keyFile string) error {
	if rootFile != "" {
		pem, err := os.ReadFile(rootFile)
		if err != nil {
			return fmt.Errorf("sslrootcert: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("sslrootcert: no certificate in %s", rootFile)
		}
	}
	if certFile != "" || keyFile != "" {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return fmt.Errorf("sslcert and sslkey: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return nil
}

// verifyChain verifies all that crypto/tls would, except the host name.
func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, certificate := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(certificate)
	}
	_, err := state.PeerCertificates[0].Verify(options)
	return err
}

// ErrNoTLS means that the server offers no TLS and the sslmode asks for it.
var ErrNoTLS = errors.New("the server offers no TLS; sslmode=disable goes without it on a network that you trust")

// sslRequest asks the server for TLS (PostgreSQL protocol, SSLRequest): length
// and code.
var sslRequest = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), 80877103)

// startTLS returns conn itself when the server offers no TLS and that is
// allowed. On failure the caller closes conn.
func (c *Config) startTLS(ctx context.Context, conn net.Conn) (net.Conn, error) {
	if err := conn.SetDeadline(time.Now().Add(c.connectTimeout)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(sslRequest); err != nil {
		return nil, err
	}
	// Exactly one byte: whatever follows it in the clear must not count.
	answer := make([]byte, 1)
	if _, err := conn.Read(answer); err != nil {
		return nil, err
	}
	if answer[0] != 'S' {
		if !c.tlsOptional {
			return nil, ErrNoTLS
		}
		return conn, conn.SetDeadline(time.Time{})
	}
	secure := tls.Client(conn, c.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return secure, conn.SetDeadline(time.Time{})
}
