// Package pgconn reaches PostgreSQL through pgdriver and adds what pgdriver
// leaves out: TLS that is verified, cancellation, sockets named by their
// folder, and a subscription that tells when it was interrupted.
package pgconn

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"
)

// Timeouts of a connection. A statement is cancelled by the server before the
// client gives up reading, so that nothing goes on for a caller who is gone.
const (
	defaultConnectTimeout = 5 * time.Second
	readTimeout           = 10 * time.Second
	writeTimeout          = 10 * time.Second
	statementTimeout      = 9 * time.Second
	idleInTransaction     = 30 * time.Second
)

// Config says how to reach one PostgreSQL database.
type Config struct {
	network, address string
	user, password   string
	database         string
	application      string
	connectTimeout   time.Duration
	readTimeout      time.Duration
	settings         map[string]any // session settings, SET on each connection

	tls         *tls.Config // nil: none
	tlsOptional bool        // go on without TLS when the server has none
}

// Parse reads a URL of the form
//
//	postgres://user:password@host:port/database?parameters
//
// What it leaves out is taken from PGHOST, PGPORT, PGUSER, PGPASSWORD,
// PGDATABASE, PGSSLMODE and PGSSLROOTCERT, else it is localhost, 5432, the
// user who runs the program, and a database of the user's name.
//
// Parameters: host (a folder such as /run/postgresql means the Unix socket in
// it), port, user, password, sslmode, sslrootcert, sslcert, sslkey (see
// tlsConfig), connect_timeout (seconds) and application_name. Any other is a
// session setting, such as search_path. Errors never hold the password.
func Parse(rawURL string) (*Config, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		// The url.Error quotes the URL, and so the password.
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err
		}
		return nil, fmt.Errorf("database URL: %w", err)
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, fmt.Errorf("database URL: unknown scheme %q", u.Scheme)
	}
	p := parameters(u.Query())
	c := &Config{readTimeout: readTimeout}
	c.setLogin(u, p)
	if err := c.setTimeout(p); err != nil {
		return nil, err
	}
	host := p.take("host", u.Hostname(), os.Getenv("PGHOST"), "localhost")
	port := p.take("port", u.Port(), os.Getenv("PGPORT"), "5432")
	c.setAddress(host, port)
	if err := c.setTLS(p, host); err != nil {
		return nil, err
	}
	return c, c.setSettings(p)
}

func (c *Config) setLogin(u *url.URL, p parameters) {
	password, _ := u.User.Password()
	c.user = p.take("user", u.User.Username(), os.Getenv("PGUSER"), osUser())
	c.password = p.take("password", password, os.Getenv("PGPASSWORD"))
	c.database = p.take("dbname", strings.TrimPrefix(u.Path, "/"), os.Getenv("PGDATABASE"), c.user)
	c.application = p.take("application_name", "itechsmart")
}

func (c *Config) setTimeout(p parameters) error {
	c.connectTimeout = defaultConnectTimeout
	text := p.take("connect_timeout")
	if text == "" {
		return nil
	}
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 1 {
		return fmt.Errorf("database URL: connect_timeout is %q, want whole seconds above 0", text)
	}
	c.connectTimeout = time.Duration(seconds) * time.Second
	return nil
}

func (c *Config) setAddress(host, port string) {
	if !strings.HasPrefix(host, "/") {
		c.network, c.address = "tcp", net.JoinHostPort(host, port)
		return
	}
	c.network, c.address = "unix", filepath.Join(host, ".s.PGSQL."+port)
}

var settingName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

func (c *Config) setSettings(p parameters) error {
	c.settings = map[string]any{
		"statement_timeout":                   statementTimeout.Milliseconds(),
		"idle_in_transaction_session_timeout": idleInTransaction.Milliseconds(),
	}
	for name, values := range p {
		if !settingName.MatchString(name) {
			return fmt.Errorf("database URL: %q is no parameter", name)
		}
		c.settings[name] = values[len(values)-1]
	}
	return nil
}

// Patient returns a copy for work that may take minutes, such as a migration
// and the wait for its lock: the server does not cancel its statements.
func (c *Config) Patient(limit time.Duration) *Config {
	patient := *c
	patient.readTimeout = limit
	patient.settings = map[string]any{}
	for name, value := range c.settings {
		patient.settings[name] = value
	}
	patient.settings["statement_timeout"] = "0"
	patient.settings["idle_in_transaction_session_timeout"] = limit.Milliseconds()
	return &patient
}

// Endpoint is what to dial: "tcp" and host:port, or "unix" and the socket.
func (c *Config) Endpoint() (network, address string) { return c.network, c.address }

// driver returns pgdriver's form of the configuration. TLS is not in it: dial
// has done that before pgdriver sees the connection.
func (c *Config) driver() *pgdriver.Config {
	return &pgdriver.Config{
		Network:      c.network,
		Addr:         c.address,
		User:         c.user,
		Password:     c.password,
		Database:     c.database,
		AppName:      c.application,
		ConnParams:   c.settings,
		ReadTimeout:  c.readTimeout,
		WriteTimeout: writeTimeout,
		BufferSize:   8192, // holds the longest notification
	}
}

// parameters of the URL that nobody has taken yet.
type parameters map[string][]string

// take removes a parameter and returns its last value, or the first of the
// fallbacks that is not empty.
func (p parameters) take(name string, fallbacks ...string) string {
	values := p[name]
	delete(p, name)
	if len(values) > 0 && values[len(values)-1] != "" {
		return values[len(values)-1]
	}
	for _, fallback := range fallbacks {
		if fallback != "" {
			return fallback
		}
	}
	return ""
}

func osUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "postgres"
}
