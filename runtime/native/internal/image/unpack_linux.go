package image

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/native/internal/beneath"
)

// Names by which a layer takes away what is below it; see the OCI image
// specification, "Whiteouts".
const (
	whiteout       = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// unpack applies the layers of an image, the lowest first, to a new folder.
func unpack(ctx context.Context, image v1.Image, folder string, owners Owners, count *counter) error {
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	root, err := unix.Open(folder, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	u := &unpacker{root: root, owners: owners, modes: map[string]uint32{}}
	defer func() { _ = unix.Close(root) }()
	if err := u.chown(root, "", 0, 0); err != nil {
		return err
	}
	for _, layer := range layers {
		if err := u.layer(ctx, layer, count); err != nil {
			return err
		}
	}
	return u.finish()
}

// unpacker writes the files of one image.
type unpacker struct {
	root   int
	owners Owners
	// modes of folders, set at the end: some forbid to write into them.
	modes map[string]uint32
	// fresh are the paths that the current layer made; its own whiteouts do not
	// concern them.
	fresh map[string]bool
}

func (u *unpacker) layer(ctx context.Context, layer v1.Layer, count *counter) error {
	content, err := openLayer(layer, count)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	u.fresh = map[string]bool{}
	for entries := tar.NewReader(content); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a layer: %w", err)
		}
		if err := u.entry(header, entries); err != nil {
			return fmt.Errorf("unpack %q: %w", header.Name, err)
		}
	}
}

// openLayer returns a layer's tar stream. Compressed bytes are counted, since
// those are the ones whose number is known beforehand.
func openLayer(layer v1.Layer, count *counter) (io.ReadCloser, error) {
	media, err := layer.MediaType()
	if err != nil {
		return nil, err
	}
	if media != types.DockerLayer && media != types.OCILayer {
		// Not gzip, or not known to be: the library finds out.
		content, err := layer.Uncompressed()
		if err != nil {
			return nil, err
		}
		return content, nil
	}
	compressed, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	content, err := gzip.NewReader(count.read(compressed))
	if err != nil {
		_ = compressed.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{content, compressed}, nil
}

// entry applies one entry of a layer.
func (u *unpacker) entry(header *tar.Header, content io.Reader) error {
	name := path.Clean("/" + header.Name)
	if name == "/" {
		return nil
	}
	parentName, base := path.Dir(name), path.Base(name)
	parent, err := beneath.MakeFolders(u.root, parentName)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(parent) }()
	switch {
	case base == whiteoutOpaque:
		return u.emptyFolder(parent, parentName)
	case strings.HasPrefix(base, whiteout):
		hidden := strings.TrimPrefix(base, whiteout)
		// The name is one of the archive's: it may pretend to be a path.
		if hidden == "" || hidden == "." || hidden == ".." || u.fresh[path.Join(parentName, hidden)] {
			return nil
		}
		return removeAt(parent, hidden)
	}
	if err := u.makeRoom(parent, base, name, header.Typeflag == tar.TypeDir); err != nil {
		return err
	}
	u.fresh[name] = true
	return u.make(parent, base, name, header, content)
}

// emptyFolder removes what lower layers have in a folder.
func (u *unpacker) emptyFolder(folder int, name string) error {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/self/fd/%d", folder))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if u.fresh[path.Join(name, e.Name())] {
			continue
		}
		if err := removeAt(folder, e.Name()); err != nil {
			return err
		}
	}
	return nil
}

// makeRoom removes what is in the place of an entry, but for a folder that stays
// one.
func (u *unpacker) makeRoom(parent int, base, name string, folder bool) error {
	var stat unix.Stat_t
	err := unix.Fstatat(parent, base, &stat, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	if folder && stat.Mode&unix.S_IFMT == unix.S_IFDIR {
		return nil
	}
	delete(u.modes, name)
	return removeAt(parent, base)
}

// make makes one file, folder or link.
func (u *unpacker) make(parent int, base, name string, header *tar.Header, content io.Reader) error {
	const permissions = 0o1777 // never set-user-id: nothing in a machine gains by it
	mode := uint32(header.Mode) & permissions
	switch header.Typeflag {
	case tar.TypeDir:
		if err := unix.Mkdirat(parent, base, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
		u.modes[name] = mode
	case tar.TypeReg:
		if err := writeAt(parent, base, mode, content); err != nil {
			return err
		}
	case tar.TypeSymlink:
		if err := unix.Symlinkat(header.Linkname, parent, base); err != nil {
			return err
		}
	case tar.TypeLink:
		return u.link(parent, base, header.Linkname)
	case tar.TypeFifo:
		if err := unix.Mknodat(parent, base, unix.S_IFIFO|mode, 0); err != nil {
			return err
		}
	default:
		return nil // devices: a machine has its own, and can use no others
	}
	return u.chown(parent, base, header.Uid, header.Gid)
}

// link gives an existing file of the image another name.
func (u *unpacker) link(parent int, base, target string) error {
	target = path.Clean("/" + target)
	from, err := beneath.Folder(u.root, path.Dir(target))
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(from) }()
	return unix.Linkat(from, path.Base(target), parent, base, 0)
}

// chown gives a file to the id that stands for the image's.
func (u *unpacker) chown(parent int, base string, uid, gid int) error {
	if u.owners.Base == 0 {
		return nil
	}
	const ids, nobody = 65536, 65534
	shift := func(id int) int {
		if id < 0 || id >= ids {
			id = nobody
		}
		return u.owners.Base + id
	}
	flags := unix.AT_SYMLINK_NOFOLLOW
	if base == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	return unix.Fchownat(parent, base, shift(uid), shift(gid), flags)
}

// finish sets the folders' modes, the deepest first.
func (u *unpacker) finish() error {
	names := make([]string, 0, len(u.modes))
	for name := range u.modes {
		names = append(names, name)
	}
	slices.Sort(names)
	slices.Reverse(names)
	for _, name := range names {
		mode := u.modes[name]
		if u.owners.Base == 0 {
			mode |= 0o700 // an ordinary user could not remove it otherwise
		}
		folder, err := beneath.Folder(u.root, name)
		if errors.Is(err, unix.ENOENT) {
			continue // taken away by a higher layer
		}
		if err != nil {
			return err
		}
		err = os.Chmod(fmt.Sprintf("/proc/self/fd/%d", folder), os.FileMode(mode&0o777)|sticky(mode))
		_ = unix.Close(folder)
		if err != nil {
			return fmt.Errorf("set the mode of %q: %w", name, err)
		}
	}
	return nil
}

func sticky(mode uint32) os.FileMode {
	if mode&unix.S_ISVTX != 0 {
		return os.ModeSticky
	}
	return 0
}

func writeAt(parent int, base string, mode uint32, content io.Reader) error {
	fd, err := unix.Openat(parent, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), base)
	_, err = io.Copy(file, content)
	if err == nil {
		err = unix.Fchmod(fd, mode)
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}

// removeAt removes an entry of an open folder with all below it.
func removeAt(parent int, base string) error {
	// The descriptor's own path, so that nothing but the last step is looked up.
	return os.RemoveAll(fmt.Sprintf("/proc/self/fd/%d/%s", parent, base))
}
