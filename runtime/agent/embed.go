// The guest program, built with this tag, must not carry itself.
//go:build !vmagent

package agent

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sync"
)

//go:embed bin
var binaries embed.FS

// Binary returns the guest program as a static Linux executable for arch, which
// is "amd64" or "arm64". It fails when this program was built without it.
func Binary(arch string) ([]byte, error) {
	b, err := binaries.ReadFile("bin/vm-agent-linux-" + arch)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("agent: this program was built without the guest program for %s: run `make agent` and build it again", arch)
	}
	return b, err
}

// Digest returns the SHA-256 of Binary in hexadecimal.
func Digest(arch string) (string, error) {
	digestsMu.Lock()
	defer digestsMu.Unlock()
	if d := digests[arch]; d != "" {
		return d, nil
	}
	b, err := Binary(arch)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	digests[arch] = hex.EncodeToString(sum[:])
	return digests[arch], nil
}

var (
	digestsMu sync.Mutex // guards digests
	digests   = make(map[string]string)
)
