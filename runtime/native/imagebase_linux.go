package native

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/native/internal/beneath"
	"github.com/itechsmart/vm/runtime/native/internal/image"
)

// imageBase returns what is below a machine of an image: the image's files, and
// its ordinary user added to the image's users.
func (d *Driver) imageBase(ctx context.Context, reference string, id identity, progress runtime.Progress) (base, error) {
	owners := image.Owners{}
	if id.privileged {
		owners.Base = hostBase
	}
	img, err := d.images.Ensure(ctx, reference, owners, progress)
	if err != nil {
		return base{}, err
	}
	files := map[string]string{"/etc/resolv.conf": ""}
	for path, line := range map[string]string{"/etc/passwd": sandboxPasswd, "/etc/group": sandboxGroup} {
		content, err := readImageFile(img.Root, path)
		if err != nil {
			return base{}, fmt.Errorf("read %s of image %s: %w", path, reference, err)
		}
		if !hasID(content, sandboxID) {
			files[path] = content + line
		}
	}
	home := sandboxHome
	if img.WorkingDir != "" && img.WorkingDir != "/" {
		home = img.WorkingDir
	}
	return base{Lower: []string{img.Root}, Env: img.Env, Home: home, Files: files}, nil
}

// readImageFile reads a small file of an image; "" when there is none.
func readImageFile(root, path string) (string, error) {
	folder, err := os.Open(root)
	if err != nil {
		return "", err
	}
	defer func() { _ = folder.Close() }()
	fd, err := beneath.File(int(folder.Fd()), path)
	if errors.Is(err, unix.ENOENT) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	file := os.NewFile(uintptr(fd), path)
	defer func() { _ = file.Close() }()
	const enough = 1 << 20
	raw, err := io.ReadAll(io.LimitReader(file, enough))
	if len(raw) > 0 && raw[len(raw)-1] != '\n' {
		raw = append(raw, '\n')
	}
	return string(raw), err
}

// hasID reports whether a file like passwd(5) or group(5) knows the id.
func hasID(content string, id int) bool {
	for lines := bufio.NewScanner(bytes.NewReader([]byte(content))); lines.Scan(); {
		if fields := strings.Split(lines.Text(), ":"); len(fields) > 2 && fields[2] == fmt.Sprint(id) {
			return true
		}
	}
	return false
}
