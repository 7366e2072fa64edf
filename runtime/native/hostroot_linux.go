package native

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What of the host a machine without an image sees, read-only, where it exists.
// Nothing here holds a secret, or anything of a user's: no /home, /root, /var,
// /run, no password hashes, no keys; of /etc only what programs need to start.
var (
	systemFolders = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}
	systemConfig  = []string{
		"alternatives", "debian_version", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime",
		"locale.alias", "magic", "magic.mime", "mime.types", "networks", "os-release", "protocols", "services",
		"terminfo", "timezone",
		"ca-certificates", "ca-certificates.conf", "pki/ca-trust", "pki/tls/certs", "pki/java", "ssl/certs", "ssl/openssl.cnf",
		"crypto-policies", "java*", "jvm*", "maven", "gradle", "perl", "php*", "python*", "ruby*", "lua*", "R", "gcrypt",
	}
)

// systemPath are the folders of systemFolders that programs are in.
var systemPath = []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// hostBase returns what is below a machine without an image: a skeleton with the
// host's system folders and toolchains bound into it.
func (d *Driver) hostBase(id identity) (base, error) {
	s := skeleton{owner: id.root, sandbox: id.sandbox, links: map[string]string{}}
	var binds []string
	add := func(path string) error {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			s.links[path] = target
		case info.IsDir():
			s.folders, binds = append(s.folders, path), append(binds, path)
		default:
			s.files, binds = append(s.files, path), append(binds, path)
		}
		return nil
	}
	for _, path := range systemFolders {
		if err := add(path); err != nil {
			return base{}, fmt.Errorf("look at the host's %s: %w", path, err)
		}
	}
	for _, pattern := range systemConfig {
		matches, err := filepath.Glob("/etc/" + pattern)
		if err != nil {
			return base{}, err
		}
		for _, path := range matches {
			if err := add(path); err != nil {
				return base{}, fmt.Errorf("look at the host's %s: %w", path, err)
			}
		}
	}
	tools := findToolchains(d.path, os.Getenv)
	for _, folder := range tools.folders {
		if err := add(folder); err != nil {
			return base{}, fmt.Errorf("look at the host's %s: %w", folder, err)
		}
	}
	lower, err := s.ensure(d.layout.skeletons())
	if err != nil {
		return base{}, fmt.Errorf("make the file system below machines: %w", err)
	}
	path := strings.Join(tools.searchPath(), ":")
	return base{
		Lower: []string{lower}, Binds: binds, Home: sandboxHome,
		Env: []string{"PATH=" + path, "LANG=C.UTF-8", "GOTOOLCHAIN=local"},
	}, nil
}

// skeleton is the lowest layer of a machine without an image: mount points and a
// few files of its own.
type skeleton struct {
	owner, sandbox owner
	folders, files []string          // mount points
	links          map[string]string // symbolic links, as on the host
}

// ownFolders are in every skeleton.
var ownFolders = map[string]fs.FileMode{
	"/": 0o755, "/dev": 0o755, "/proc": 0o755, "/sys/fs/cgroup": 0o755, "/etc": 0o755, "/home": 0o755, "/run": 0o755,
	"/var/tmp": 0o777 | fs.ModeSticky, "/tmp": 0o777 | fs.ModeSticky, "/root": 0o755, "/opt": 0o755, "/mnt": 0o755,
}

// ownFiles are in every skeleton. Users and groups are the machine's, not the
// host's. Names are resolved from /etc/hosts alone as long as resolv.conf is
// empty.
var ownFiles = map[string]string{
	"/etc/passwd":        passwdLines,
	"/etc/group":         groupLines,
	"/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
	"/etc/resolv.conf":   "",
	"/etc/shells":        "/bin/sh\n/bin/bash\n",
}

const (
	passwdLines = "root:x:0:0:root:/root:/bin/sh\n" + sandboxPasswd + "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
	groupLines  = "root:x:0:\ntty:x:5:\n" + sandboxGroup + "nogroup:x:65534:\n"

	sandboxPasswd = sandboxName + ":x:1000:1000:" + sandboxName + ":" + sandboxHome + ":/bin/sh\n"
	sandboxGroup  = sandboxName + ":x:1000:\n"
)

// ensure returns the folder of the skeleton, made if it is not there yet. The
// name tells its content, so processes of different tool paths do not meet.
func (s skeleton) ensure(parent string) (string, error) {
	slices.Sort(s.folders)
	slices.Sort(s.files)
	const version = 1                                           // of the constants above
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %v", version, s)) // maps print in order of their keys
	folder := filepath.Join(parent, hex.EncodeToString(sum[:12]))
	if _, err := os.Stat(folder); err == nil {
		return folder, nil
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", err
	}
	temporary, err := os.MkdirTemp(parent, ".making-")
	if err != nil {
		return "", err
	}
	if err = s.fill(temporary); err == nil {
		err = os.Rename(temporary, folder)
	}
	if err != nil {
		_ = os.RemoveAll(temporary)
		if errors.Is(err, fs.ErrExist) {
			return folder, nil // another process was faster
		}
		return "", err
	}
	return folder, nil
}

func (s skeleton) fill(root string) error {
	b := builder{root: root, owner: s.owner}
	for path, mode := range ownFolders {
		b.folder(path, mode)
	}
	for path, content := range ownFiles {
		b.file(path, content)
	}
	for _, path := range s.folders {
		b.folder(path, 0o755)
	}
	for _, path := range s.files {
		b.file(path, "")
	}
	for path, target := range s.links {
		b.link(path, target)
	}
	b.owner = s.sandbox
	b.folder(sandboxHome, 0o755)
	return b.err
}

// builder makes files below a folder that nobody else can reach. After an error
// it does nothing more.
type builder struct {
	root  string
	owner owner
	err   error
}

func (b *builder) do(err error) {
	if b.err == nil {
		b.err = err
	}
}

// folder makes a folder and its missing parents; the mode is that of the last.
func (b *builder) folder(path string, mode fs.FileMode) {
	if b.err != nil {
		return
	}
	b.parents(path)
	full := filepath.Join(b.root, path)
	if err := os.Mkdir(full, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		b.do(err)
		return
	}
	b.do(os.Chmod(full, mode)) // whatever the umask
	b.do(os.Lchown(full, b.owner.uid, b.owner.gid))
}

func (b *builder) parents(path string) {
	parent := filepath.Dir(path)
	if parent == path {
		return
	}
	if _, err := os.Lstat(filepath.Join(b.root, parent)); errors.Is(err, fs.ErrNotExist) {
		b.folder(parent, 0o755)
	}
}

func (b *builder) file(path, content string) {
	if b.err != nil {
		return
	}
	b.parents(path)
	full := filepath.Join(b.root, path)
	b.do(os.WriteFile(full, []byte(content), 0o644))
	b.do(os.Chmod(full, 0o644))
	b.do(os.Lchown(full, b.owner.uid, b.owner.gid))
}

func (b *builder) link(path, target string) {
	if b.err != nil {
		return
	}
	b.parents(path)
	full := filepath.Join(b.root, path)
	b.do(os.Symlink(target, full))
	b.do(os.Lchown(full, b.owner.uid, b.owner.gid))
}
