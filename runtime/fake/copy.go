package fake

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"path"
	"strings"
	"syscall"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/agent/archive"
)

// errandPack writes a file, or all files below a folder.
func (p *process) errandPack(at string) error {
	names := p.world.files.below(at)
	if len(names) == 0 {
		return absent(at)
	}
	out := tar.NewWriter(p.out())
	for _, name := range names {
		f, err := p.world.files.get(name)
		if err != nil {
			continue // removed meanwhile
		}
		err = out.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: archive.Top + strings.TrimPrefix(name, at), Size: f.size, Mode: int64(f.mode),
		})
		if err == nil {
			_, err = io.Copy(out, f.reader())
		}
		if err != nil {
			return fileError(agent.FileFailed, at, err.Error())
		}
	}
	if err := out.Close(); err != nil {
		return fileError(agent.FileFailed, at, err.Error())
	}
	return nil
}

// errandUnpack takes regular files; folders are there when something is in them.
func (p *process) errandUnpack(name, at string) error {
	if len(p.world.files.children(at)) > 0 {
		at = path.Join(at, name)
	}
	for in := tar.NewReader(p.stdin); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return json.NewEncoder(p.out()).Encode(agent.Skipped{})
		}
		if err == nil && header.Typeflag == tar.TypeReg {
			err = p.unpackFile(path.Join(at, strings.TrimPrefix(header.Name, archive.Top)), header, in)
		}
		if errors.Is(err, syscall.ENOSPC) {
			return fileError(agent.FileNoSpace, at, "no space left on device")
		}
		if err != nil {
			return fileError(agent.FileFailed, at, err.Error())
		}
	}
}

func (p *process) unpackFile(at string, header *tar.Header, content io.Reader) error {
	data, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	return p.check(p.world.files.put(at, data, uint32(header.Mode)&0o777))
}
