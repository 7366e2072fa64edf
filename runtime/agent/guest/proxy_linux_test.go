package guest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/guest"
)

// proxied is a guest with a proxy, and where that listens.
func proxied(t *testing.T) (*guest.Guest, *agent.Client, *url.URL) {
	t.Helper()
	g := newGuest(t, guest.Config{Proxy: "127.0.0.1:0", Env: []string{"HTTPS_PROXY=mine"}})
	c := connect(t, g)
	res, err := c.Run(t.Context(), sh("env", `echo $http_proxy; echo $HTTPS_PROXY $https_proxy $ALL_PROXY $NO_PROXY`), nil)
	if err != nil {
		t.Fatal(err)
	}
	first, rest, _ := strings.Cut(string(res.Stdout.Head), "\n")
	if want := fmt.Sprintf("mine %[1]s %[1]s localhost,127.0.0.1,::1\n", first); rest != want {
		t.Errorf("the environment has %q, want %q", rest, want)
	}
	proxy, err := url.Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	return g, c, proxy
}

// dialTo connects whatever is asked for to one address.
func dialTo(address string) agent.DialFunc {
	return func(ctx context.Context, _ string, _ int) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}
}

func offer(t *testing.T, c *agent.Client, dial agent.DialFunc) {
	t.Helper()
	if err := c.OfferDial(dial); err != nil {
		t.Fatal(err)
	}
}

// browser is an HTTP client that knows the proxy.
func browser(t *testing.T, proxy *url.URL, server *httptest.Server) *http.Client {
	transport := server.Client().Transport.(*http.Transport).Clone()
	transport.Proxy = http.ProxyURL(proxy)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestProxyCarriesHTTP(t *testing.T) {
	_, c, proxy := proxied(t)
	for name, start := range map[string]func(http.Handler) *httptest.Server{
		"plain": httptest.NewServer, "TLS": httptest.NewTLSServer,
	} {
		t.Run(name, func(t *testing.T) {
			server := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Proxy-Connection") != "" {
					t.Error("the proxy's own headers reach the server")
				}
				fmt.Fprintf(w, "%s %s%s %s:", r.Method, r.Host, r.URL, r.Header.Get("X-Own"))
				_, _ = io.Copy(w, r.Body)
			}))
			defer server.Close()
			scheme, _, _ := strings.Cut(server.URL, "://")
			offer(t, c, dialTo(server.Listener.Addr().String()))
			client := browser(t, proxy, server)
			body := bytes.Repeat([]byte("body "), 1<<20)
			for range 2 {
				request, err := http.NewRequestWithContext(t.Context(), "POST", scheme+"://example.com/a%20b?c=d", bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("X-Own", "kept")
				response, err := client.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(response.Body)
				response.Body.Close()
				want := append([]byte("POST example.com/a%20b?c=d kept:"), body...)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("%d bytes %.80q, %v", len(got), got, err)
				}
			}
		})
	}
}

// answerTo sends one request to the proxy and returns its whole answer.
func answerTo(t *testing.T, proxy *url.URL, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", proxy.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestProxyAnswers(t *testing.T) {
	_, c, proxy := proxied(t)
	offer(t, c, func(_ context.Context, host string, port int) (net.Conn, error) {
		switch host {
		case "refused.example":
			return nil, fmt.Errorf("wrapped: %w", &agent.DialError{Reason: "list refused.example\r\nSet-Cookie: x", Refused: true})
		case "failed.example":
			return nil, &agent.DialError{Reason: "it did not answer"}
		}
		return nil, fmt.Errorf("asked for %s and %d", host, port)
	})
	tests := []struct{ request, want string }{
		{"CONNECT refused.example:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 403 list refused.example??Set-Cookie: x\r\n"},
		{"GET http://refused.example/ HTTP/1.1\r\n\r\n", "HTTP/1.1 403 list"},
		{"CONNECT failed.example:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 502 it did not answer\r\n"},
		{"CONNECT [::1]:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 502 asked for ::1 and 443\r\n"},
		{"GET HTTP://user:secret@Host.example?q HTTP/1.0\r\n\r\n", "HTTP/1.1 502 asked for Host.example and 80\r\n"},
		{"GET http://[::1]/ HTTP/1.1\r\n\r\n", "HTTP/1.1 502 asked for ::1 and 80\r\n"},
		{"\r\nGET http://host:81/ HTTP/1.1\n\n", "HTTP/1.1 502 asked for host and 81\r\n"},
		{"CONNECT failed.example HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
		{"CONNECT :443 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 400 this is the VM's proxy"},
		{"GET https://x/ HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
		{"GET http://x/ HTTP/2.0\r\n\r\n", "HTTP/1.1 400 "},
		{"hello\r\n\r\n", "HTTP/1.1 400 "},
		{"GET http://x/ HTTP/1.1\r\nHalf", "HTTP/1.1 400 the request ends"},
		{"", "HTTP/1.1 400 "},
		{"GET http://x/ HTTP/1.1\r\nX: " + strings.Repeat("x", 65<<10) + "\r\n\r\n", "HTTP/1.1 431 "},
	}
	for _, test := range tests {
		if got := answerTo(t, proxy, test.request); !strings.HasPrefix(got, test.want) {
			t.Errorf("%.60q: %q, want %q", test.request, got, test.want)
		}
	}
}

// A program that has said all still gets the whole answer.
func TestProxyHalfClosed(t *testing.T) {
	_, c, proxy := proxied(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		said, err := io.ReadAll(conn)
		if err != nil {
			t.Error(err)
		}
		_, _ = conn.Write(bytes.Repeat(said, 1<<20))
	}()
	offer(t, c, dialTo(listener.Addr().String()))
	got := answerTo(t, proxy, "CONNECT echo.example:7 HTTP/1.1\r\n\r\nabc")
	_, got, _ = strings.Cut(got, "\r\n\r\n")
	if got != strings.Repeat("abc", 1<<20) {
		t.Errorf("%d bytes came", len(got))
	}
}

// A connection waits for a client, and outlives none.
func TestProxyAndItsClients(t *testing.T) {
	g, first, proxy := proxied(t)
	served := make(chan net.Conn, 1)
	dial := func(context.Context, string, int) (net.Conn, error) {
		ours, theirs := net.Pipe()
		served <- theirs
		return ours, nil
	}
	conn, err := net.Dial("tcp", proxy.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "CONNECT a.example:1 HTTP/1.1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	first.Close()
	second := connect(t, g)
	offer(t, second, dial)
	host := <-served
	go func() { _, _ = io.WriteString(host, "hi") }()
	const want = "HTTP/1.1 200 Connection established\r\n\r\nhi"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("%q, %v", got, err)
	}
	second.Close()
	if _, err := conn.Read(got); err == nil {
		t.Error("the connection goes on without its client")
	}
	if _, err := host.Read(got); !errors.Is(err, io.EOF) {
		t.Errorf("the host's side: %v", err)
	}
}
