package guest

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ground is where a run may have folders and files made for it in a machine that
// an ordinary user has made, whose programs own the system's folders too: in the
// home, and below folders that are open to all. Elsewhere the kernel draws this
// line by itself.
type ground struct{ home string }

// ownsRoot reports whether the ordinary user, or the guest where there is none,
// owns the root of the file system.
func ownsRoot(u *user) bool {
	uid := uint32(os.Geteuid())
	if u != nil {
		uid = uint32(u.UID)
	}
	var st unix.Stat_t
	return uid != 0 && unix.Stat("/", &st) == nil && st.Uid == uid
}

// checkFolder refuses a folder that would be made elsewhere. One that is there
// may be anywhere.
func (g ground) checkFolder(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	return g.check("mkdir", dir)
}

// checkFile refuses a file that would be written elsewhere.
func (g ground) checkFile(file string) error { return g.check("open", file) }

func (g ground) check(doing, name string) error {
	home, err := filepath.EvalSymlinks(g.home)
	if err != nil {
		return err
	}
	for dir := existing(name); ; dir = path.Dir(dir) {
		info, err := os.Lstat(dir)
		switch {
		case err != nil:
			return err
		case dir == home || strings.HasPrefix(dir, home+"/") || info.IsDir() && info.Mode().Perm()&0o002 != 0:
			return nil
		case dir == "/":
			return &fs.PathError{Op: doing, Path: name, Err: unix.EACCES}
		}
	}
}

// existing is the real path of the deepest folder above a path, or the path
// itself, that is there.
func existing(name string) string {
	for dir := path.Clean(name); ; dir = path.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return real
		}
		if dir == "/" {
			return dir
		}
	}
}
