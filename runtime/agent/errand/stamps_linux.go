package errand

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent"
)

// stamps lists what is at a path and below, but for mounts. What vanishes
// meanwhile is not there.
func stamps(root string, since time.Time, out io.Writer) error {
	mounts, err := mountPoints()
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(out, 64<<10)
	var record []byte
	err = filepath.WalkDir(root, func(at string, entry fs.DirEntry, err error) error {
		if gone(err) {
			return nil
		}
		if err != nil || at == "/" {
			return err
		}
		if mounts[at] && at != root {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		s, err := stamp(at, entry, since)
		if gone(err) {
			return nil
		}
		if err != nil {
			return err
		}
		record = s.Append(record[:0])
		_, err = buffered.Write(record)
		return err
	})
	if err != nil {
		return err
	}
	return buffered.Flush()
}

// gone: nothing is left, or no system call takes a path as long as that.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ENAMETOOLONG)
}

func stamp(at string, entry fs.DirEntry, since time.Time) (agent.Stamp, error) {
	info, err := entry.Info()
	if err != nil {
		return agent.Stamp{}, err
	}
	stat := info.Sys().(*syscall.Stat_t) // what package os has for every file of this system
	s := agent.Stamp{Path: at, Mode: info.Mode(), UID: stat.Uid, GID: stat.Gid}
	switch {
	case info.Mode().IsRegular():
		s.Size = info.Size()
		// The time of change is the one that nobody can set.
		if !time.Unix(stat.Ctim.Unix()).Before(since) {
			s.Sum, err = sum(at)
		}
	case info.Mode()&fs.ModeSymlink != 0:
		s.Target, err = os.Readlink(at)
	}
	return s, err
}

// sum tells a file's content. Blocks of zeros count for nothing, and holes are not
// even read: a file of any length takes no longer than what it takes up.
func sum(at string) (string, error) {
	f, _, err := open(at, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	const block = 64 << 10
	data, zeros := make([]byte, block), make([]byte, block)
	hash := sha256.New()
	for position := int64(0); ; {
		next, err := f.Seek(position, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break // nothing but a hole from here on
		}
		if err != nil {
			return "", err
		}
		position = next - next%block
		n, err := f.ReadAt(data, position)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if !bytes.Equal(data[:n], zeros[:n]) {
			hash.Write(binary.BigEndian.AppendUint64(nil, uint64(position)))
			hash.Write(data[:n])
		}
		position += block
	}
	return string(hash.Sum(nil)), nil
}

// mountPoints are the places where something is mounted.
func mountPoints() (map[string]bool, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	points := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 4 {
			points[unescaped.Replace(fields[4])] = true
		}
	}
	return points, nil
}

// unescaped undoes what mountinfo does to names.
var unescaped = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
