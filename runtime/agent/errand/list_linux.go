package errand

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/itechsmart/vm/runtime/agent"
)

// list describes what is in a folder, or anything else by itself.
func list(path string, limit int, out io.Writer) error {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return listOne(path, out)
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	// Not sorted by the system: a folder may have millions.
	entries, err := folder.ReadDir(limit + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	found := agent.Listing{Files: []agent.FileInfo{}, More: len(entries) > limit}
	for _, e := range entries[:min(limit, len(entries))] {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed just now
		}
		if err != nil {
			return err
		}
		found.Files = append(found.Files, describe(info, target(filepath.Join(path, e.Name()), info)))
	}
	slices.SortFunc(found.Files, func(a, b agent.FileInfo) int { return strings.Compare(a.Name, b.Name) })
	return json.NewEncoder(out).Encode(found)
}

// listOne describes what is no folder; a link that leads nowhere, too.
func listOne(path string, out io.Writer) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(agent.Listing{Files: []agent.FileInfo{describe(info, target(path, info))}})
}

// target of a link; empty for anything else, and for one that is gone.
func target(path string, info fs.FileInfo) string {
	if info.Mode()&fs.ModeSymlink == 0 {
		return ""
	}
	to, err := os.Readlink(path)
	if err != nil {
		return ""
	}
	return to
}

func describe(info fs.FileInfo, target string) agent.FileInfo {
	d := agent.FileInfo{
		Name: info.Name(), Type: agent.TypeOther, Mode: uint32(info.Mode().Perm()),
		ModifiedAt: info.ModTime().UTC(), Target: target,
	}
	switch {
	case info.Mode().IsRegular():
		d.Type, d.Size = agent.TypeFile, info.Size()
	case info.IsDir():
		d.Type = agent.TypeFolder
	case info.Mode()&fs.ModeSymlink != 0:
		d.Type = agent.TypeLink
	}
	return d
}
