package pgconn

import (
	"os/user"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE", "PGSSLROOTCERT"} {
		t.Setenv(name, "")
	}
	for _, c := range []struct {
		url                                      string
		env                                      map[string]string
		network, address, user, password, dbname string
	}{
		{url: "postgres://", network: "tcp", address: "localhost:5432", user: me.Username, dbname: me.Username},
		{url: "postgresql://u@h/", network: "tcp", address: "h:5432", user: "u", dbname: "u"},
		{url: "postgres://u:p%40:x@[::1]:1/d", network: "tcp", address: "[::1]:1", user: "u", password: "p@:x", dbname: "d"},
		{url: "postgres:///d?host=/run/pg&port=7&user=u&password=p", network: "unix", address: "/run/pg/.s.PGSQL.7", user: "u", password: "p", dbname: "d"},
		{url: "postgres://u@h/d?host=other", network: "tcp", address: "other:5432", user: "u", dbname: "d"},
		{
			url: "postgres://", env: map[string]string{"PGHOST": "/s", "PGPORT": "9", "PGUSER": "e", "PGPASSWORD": "w", "PGDATABASE": "b"},
			network: "unix", address: "/s/.s.PGSQL.9", user: "e", password: "w", dbname: "b",
		},
	} {
		t.Run(c.url, func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			got, err := Parse(c.url)
			if err != nil {
				t.Fatal(err)
			}
			if network, address := got.Endpoint(); network != c.network || address != c.address {
				t.Errorf("dials %s %s, want %s %s", network, address, c.network, c.address)
			}
			if got.user != c.user || got.password != c.password || got.database != c.dbname {
				t.Errorf("logs in as %q with %q to %q", got.user, got.password, got.database)
			}
		})
	}
}

func TestParseParameters(t *testing.T) {
	c, err := Parse("postgres://h/d?sslmode=disable&connect_timeout=3&application_name=me&search_path=a&search_path=b&statement_timeout=7")
	if err != nil {
		t.Fatal(err)
	}
	if c.connectTimeout != 3*time.Second || c.application != "me" {
		t.Errorf("connect timeout %v, application %q", c.connectTimeout, c.application)
	}
	if c.settings["search_path"] != "b" || c.settings["statement_timeout"] != "7" || len(c.settings) != 3 {
		t.Errorf("settings %v", c.settings)
	}
	patient := c.Patient(time.Hour)
	if patient.readTimeout != time.Hour || patient.settings["statement_timeout"] != "0" || patient.settings["search_path"] != "b" {
		t.Errorf("patient: %v, %v", patient.readTimeout, patient.settings)
	}
	if c.readTimeout == time.Hour || c.settings["statement_timeout"] != "7" {
		t.Error("Patient changed its receiver")
	}
}

func TestParseErrors(t *testing.T) {
	for url, want := range map[string]string{
		"mysql://h/d":                          "unknown scheme",
		"postgres://u:secret%@h/d":             "invalid URL escape",
		"postgres://h:secret/d":                "invalid port",
		"postgres://h/d?connect_timeout=0":     "connect_timeout",
		"postgres://h/d?connect_timeout=5s":    "connect_timeout",
		"postgres://h/d?sslmode=yes":           "sslmode",
		"postgres://h/d?a%20b=1":               "no parameter",
		"postgres://h/d?sslrootcert=/nowhere":  "sslrootcert",
		"postgres://h/d?sslrootcert=/dev/null": "no certificate",
		"postgres://h/d?sslcert=/nowhere":      "sslcert",
	} {
		_, err := Parse(url)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
	}
}

func TestDefaultMode(t *testing.T) {
	t.Setenv("PGSSLMODE", "")
	for url, want := range map[string]bool{
		"postgres://localhost/d":                      false,
		"postgres://127.0.0.9/d":                      false,
		"postgres://[::1]/d":                          false,
		"postgres:///d?host=/run&sslmode=verify-full": false,
		"postgres://10.0.0.1/d":                       true,
		"postgres://localhost.example/d":              true,
		"postgres://localhost/d?sslmode=require":      true,
	} {
		c, err := Parse(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.tls != nil && !c.tls.InsecureSkipVerify && !c.tlsOptional; got != want {
			t.Errorf("%s: verified TLS is %v", url, got)
		}
	}
}
