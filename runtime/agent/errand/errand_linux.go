package errand

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/archive"
)

// Main does the errand that args name, see agent.ErrandRead and its like, and
// returns the exit code.
func Main(args []string, in io.Reader, out, failure io.Writer) int {
	// What is of the same user must not look into this process.
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	err := run(args, in, out)
	if err == nil {
		return 0
	}
	_ = json.NewEncoder(failure).Encode(explain(err)) // nobody is left to tell
	return 1
}

var errUsage = errors.New("no such errand")

func run(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 3 {
		return errUsage
	}
	path := args[2]
	switch args[0] {
	case agent.ErrandRead:
		limit, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return err
		}
		return read(path, limit, out)
	case agent.ErrandWrite:
		mode, err := strconv.ParseUint(args[1], 8, 32)
		if err != nil {
			return err
		}
		return write(path, fs.FileMode(mode).Perm(), in)
	case agent.ErrandList:
		limit, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return list(path, limit, out)
	case agent.ErrandRemove:
		recursive, err := strconv.ParseBool(args[1])
		if err != nil {
			return err
		}
		return remove(path, recursive)
	case agent.ErrandPack:
		return archive.Pack(out, path)
	case agent.ErrandStamps:
		since, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return err
		}
		return stamps(path, time.Unix(since, 0), out)
	case agent.ErrandUnpack:
		return unpack(args[1], path, in, out)
	}
	return errUsage
}

// explain words an error for a person, without what the system call was.
func explain(err error) *agent.FileError {
	var already *agent.FileError
	if errors.As(err, &already) {
		return already
	}
	codes := []struct {
		errno error
		code  agent.FileCode
	}{
		{fs.ErrNotExist, agent.FileNotFound}, {fs.ErrPermission, agent.FileDenied}, {unix.EROFS, agent.FileDenied},
		{unix.ENOTEMPTY, agent.FileNotEmpty}, {unix.ENOSPC, agent.FileNoSpace}, {unix.EDQUOT, agent.FileNoSpace},
		{unix.EFBIG, agent.FileNoSpace}, {unix.ENOTDIR, agent.FileUnfit}, {unix.EISDIR, agent.FileUnfit},
		{unix.ENXIO, agent.FileUnfit},
	}
	reason := err.Error()
	var at *fs.PathError
	if errors.As(err, &at) {
		reason = at.Path + ": " + at.Err.Error()
	}
	for _, c := range codes {
		if errors.Is(err, c.errno) {
			return &agent.FileError{Code: c.code, Reason: reason}
		}
	}
	return &agent.FileError{Code: agent.FileFailed, Reason: reason}
}

// unpack puts a tree at a path.
func unpack(name, path string, in io.Reader, out io.Writer) error {
	folder, name, err := archive.Place(path, name)
	if err != nil {
		return err
	}
	defer folder.Close()
	var skipped agent.Skipped
	if err := archive.Unpack(folder, name, in, -1, skipped.Add); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(skipped)
}

func unfit(path, why string) error {
	return &agent.FileError{Code: agent.FileUnfit, Reason: path + " " + why}
}

// open opens a regular file. A pipe or device is refused without a wait.
func open(path string, flag int, mode fs.FileMode) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, flag|unix.O_NONBLOCK|unix.O_NOCTTY, mode)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = unfit(path, "is a folder")
	case !info.Mode().IsRegular():
		err = unfit(path, "is not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

func read(path string, limit int64, out io.Writer) error {
	f, info, err := open(path, os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if info.Size() > limit {
		return tooLarge(path, info.Size())
	}
	if err := json.NewEncoder(out).Encode(describe(info, "")); err != nil {
		return err
	}
	// Files of /proc, and those that grow, have more than they say.
	n, err := io.Copy(out, io.LimitReader(f, limit+1))
	if err == nil && n > limit {
		return tooLarge(path, n)
	}
	return err
}

func tooLarge(path string, size int64) error {
	return &agent.FileError{Code: agent.FileTooLarge, Reason: fmt.Sprintf("%s has %d bytes or more", path, size)}
}
