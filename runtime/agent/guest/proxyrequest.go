package guest

import (
	"bufio"
	"net"
	"strconv"
	"strings"

	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

// maxHead bounds the head of a request to the proxy.
const maxHead = 64 << 10

// proxyRequest is what a program asks the proxy for.
type proxyRequest struct {
	target wire.Target
	head   string // what the target is to get first; empty for CONNECT
}

// readProxyRequest reads the head of a request and rewrites it for the target.
func readProxyRequest(in *bufio.Reader) (proxyRequest, *answerError) {
	lines, err := readHead(in)
	if err != nil {
		return proxyRequest{}, err
	}
	method, rest, _ := strings.Cut(lines[0], " ")
	where, version, ok := strings.Cut(rest, " ")
	if !ok || method == "" || !strings.HasPrefix(version, "HTTP/1.") {
		return proxyRequest{}, &answerError{400, "this is no request of HTTP/1"}
	}
	if method == "CONNECT" {
		target, err := parseAuthority(where, 0)
		return proxyRequest{target: target}, err
	}
	authority, path, err := cutURL(where)
	if err != nil {
		return proxyRequest{}, err
	}
	target, err := parseAuthority(authority, 80)
	if err != nil {
		return proxyRequest{}, err
	}
	head := method + " " + path + " " + version + "\r\nHost: " + authority + "\r\n" + forwarded(lines[1:]) + "\r\n"
	return proxyRequest{target, head}, nil
}

// readHead reads the lines up to the empty one.
func readHead(in *bufio.Reader) ([]string, *answerError) {
	var lines []string
	var line []byte
	for size := 0; ; {
		part, err := in.ReadSlice('\n')
		if size += len(part); size > maxHead {
			return nil, &answerError{431, "the head of the request is too large"}
		}
		line = append(line, part...)
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil {
			return nil, &answerError{400, "the request ends in its head"}
		}
		text := strings.TrimRight(string(line), "\r\n")
		line = line[:0]
		if text != "" {
			lines = append(lines, text)
		} else if len(lines) > 0 { // empty lines before a request are to be ignored, RFC 9112 2.2
			return lines, nil
		}
	}
}

// cutURL takes an http:// address apart, as a proxy gets it.
func cutURL(url string) (authority, path string, failure *answerError) {
	const scheme = "http://"
	if len(url) < len(scheme) || !strings.EqualFold(url[:len(scheme)], scheme) {
		return "", "", &answerError{400, "this is the VM's proxy: it takes CONNECT, and requests for addresses that begin with http://"}
	}
	url = url[len(scheme):]
	end := strings.IndexAny(url, "/?#")
	if end < 0 {
		end = len(url)
	}
	authority, path = url[:end], url[end:]
	authority = authority[strings.LastIndexByte(authority, '@')+1:]
	path, _, _ = strings.Cut(path, "#")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return authority, path, nil
}

// parseAuthority reads host:port. Without a port it is the default, or 0 for
// none, which is a mistake then.
func parseAuthority(authority string, defaultPort int) (wire.Target, *answerError) {
	host, text, err := net.SplitHostPort(authority)
	if err != nil && defaultPort != 0 {
		host, text = strings.Trim(authority, "[]"), strconv.Itoa(defaultPort)
	}
	port, err := strconv.Atoi(text)
	if err != nil || host == "" {
		return wire.Target{}, &answerError{400, "the request names no host and port"}
	}
	return wire.Target{Host: host, Port: port}, nil
}

// forwarded are the header lines for the target. The connection is for one
// request, except where that asks for another protocol on it.
func forwarded(lines []string) string {
	upgrade := false
	for _, line := range lines {
		upgrade = upgrade || strings.EqualFold(fieldName(line), "Upgrade")
	}
	var kept strings.Builder
	for _, line := range lines {
		switch strings.ToLower(fieldName(line)) {
		case "host", "proxy-connection", "proxy-authorization", "keep-alive":
			continue
		case "connection":
			if !upgrade {
				continue
			}
		}
		kept.WriteString(line + "\r\n")
	}
	if !upgrade {
		kept.WriteString("Connection: close\r\n")
	}
	return kept.String()
}

func fieldName(line string) string {
	name, _, _ := strings.Cut(line, ":")
	return strings.TrimSpace(name)
}
