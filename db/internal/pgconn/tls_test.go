package pgconn_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/itechsmart/vm/db/dbtest"
	"github.com/itechsmart/vm/db/internal/pgconn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string // its certificate, as PEM
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{
		certificate: &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
			NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		},
		key:  newKey(t),
		file: filepath.Join(t.TempDir(), "root.pem"),
	}
	der, err := x509.CreateCertificate(rand.Reader, a.certificate, a.certificate, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(a.file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// server returns a configuration with a certificate for these addresses.
func (a authority) server(t *testing.T, addresses ...net.IP) *tls.Config {
	t.Helper()
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), IPAddresses: addresses, DNSNames: []string{"elsewhere"},
	}, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// TestTLS goes through a proxy that ends TLS in front of the real server.
func TestTLS(t *testing.T) {
	database := dbtest.Postgres(t)
	ours, theirs := newAuthority(t), newAuthority(t)
	proxies := map[string]*dbtest.Proxy{
		"right":      dbtest.NewProxy(t, database, ours.server(t, net.IPv4(127, 0, 0, 1))),
		"wrong name": dbtest.NewProxy(t, database, ours.server(t)),
		"wrong root": dbtest.NewProxy(t, database, theirs.server(t, net.IPv4(127, 0, 0, 1))),
		"no TLS":     dbtest.NewProxy(t, database, nil),
	}
	const plain = "plain"
	for _, c := range []struct{ server, mode, want string }{ // want: "", plain, or an error
		{"right", "disable", plain},
		{"right", "prefer", ""},
		{"right", "require", ""},
		{"right", "verify-ca", ""},
		{"right", "verify-full", ""},
		{"wrong name", "prefer", ""},
		{"wrong name", "require", "doesn't contain any IP SANs"},
		{"wrong name", "verify-ca", ""},
		{"wrong name", "verify-full", "doesn't contain any IP SANs"},
		{"wrong root", "prefer", ""},
		{"wrong root", "require", "certificate signed by unknown authority"},
		{"wrong root", "verify-ca", "certificate signed by unknown authority"},
		{"wrong root", "verify-full", "certificate signed by unknown authority"},
		{"no TLS", "disable", plain},
		{"no TLS", "prefer", plain},
		{"no TLS", "require", pgconn.ErrNoTLS.Error()},
		{"no TLS", "verify-ca", pgconn.ErrNoTLS.Error()},
		{"no TLS", "verify-full", pgconn.ErrNoTLS.Error()},
	} {
		t.Run(c.server+"/"+c.mode, func(t *testing.T) {
			config, err := pgconn.Parse(proxies[c.server].URL(url.Values{"sslmode": {c.mode}, "sslrootcert": {ours.file}}))
			if err != nil {
				t.Fatal(err)
			}
			encrypted, err := roundTrip(t, config)
			switch {
			case c.want == "" || c.want == plain:
				if err != nil || encrypted != (c.want == "") {
					t.Errorf("encrypted %v, error %v", encrypted, err)
				}
			case err == nil || !strings.Contains(err.Error(), c.want):
				t.Errorf("got error %v, want %q", err, c.want)
			}
		})
	}
}

// roundTrip asks the server something, and tells whether that was encrypted.
func roundTrip(t *testing.T, config *pgconn.Config) (encrypted bool, err error) {
	t.Helper()
	db := sql.OpenDB(config.Connector())
	defer db.Close()
	conn, err := db.Conn(context.Background())
	if err != nil {
		return false, err
	}
	defer conn.Close()
	err = conn.Raw(func(raw any) error {
		encrypted = pgconn.Encrypted(raw)
		return nil
	})
	if err != nil {
		return false, err
	}
	return encrypted, conn.PingContext(context.Background())
}
