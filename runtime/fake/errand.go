package fake

import (
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/itechsmart/vm/runtime/agent"
)

// errand is package agent/errand on a machine's files. Its arguments have been
// checked by who sent them.
func errand(p *process, args []string) int {
	at := p.path(args[2])
	var err error
	switch args[0] {
	case agent.ErrandRead:
		err = p.errandRead(at, args[1])
	case agent.ErrandWrite:
		err = p.errandWrite(at, args[1])
	case agent.ErrandList:
		err = p.errandList(at, args[1])
	case agent.ErrandRemove:
		err = p.errandRemove(at, args[1] == "true")
	case agent.ErrandPack:
		err = p.errandPack(at)
	case agent.ErrandUnpack:
		err = p.errandUnpack(args[1], at)
	default:
		err = fmt.Errorf("no errand %s", args[0])
	}
	if err == nil {
		return 0
	}
	_ = json.NewEncoder(p.err()).Encode(err) // the process may have to end
	return 1
}

func fileError(code agent.FileCode, at, why string) error {
	return &agent.FileError{Code: code, Reason: at + ": " + why}
}

func absent(at string) error { return fileError(agent.FileNotFound, at, "no such file or directory") }

func describe(at string, f file) agent.FileInfo {
	return agent.FileInfo{Name: path.Base(at), Type: agent.TypeFile, Size: f.size, Mode: f.mode}
}

func (p *process) errandRead(at, limit string) error {
	f, err := p.world.files.get(at)
	most, _ := strconv.ParseInt(limit, 10, 64)
	switch {
	case err != nil && len(p.world.files.children(at)) > 0:
		return &agent.FileError{Code: agent.FileUnfit, Reason: at + " is a folder"}
	case err != nil:
		return absent(at)
	case f.size > most:
		return &agent.FileError{Code: agent.FileTooLarge, Reason: fmt.Sprintf("%s has %d bytes or more", at, f.size)}
	}
	if err := json.NewEncoder(p.out()).Encode(describe(at, f)); err != nil {
		return fileError(agent.FileFailed, at, err.Error())
	}
	p.print(at)
	return nil
}

func (p *process) errandWrite(at, octal string) error {
	data, err := io.ReadAll(p.stdin)
	if err != nil {
		return fileError(agent.FileFailed, at, err.Error())
	}
	mode, _ := strconv.ParseUint(octal, 8, 32)
	if mode == 0 {
		mode = 0o644
		if before, err := p.world.files.get(at); err == nil {
			mode = uint64(before.mode)
		}
	}
	if len(p.world.files.children(at)) > 0 {
		return &agent.FileError{Code: agent.FileUnfit, Reason: at + " is a folder"}
	}
	if err := p.world.files.put(at, data, uint32(mode)); err != nil {
		return fileError(agent.FileNoSpace, at, "no space left on device")
	}
	return nil
}

func (p *process) errandList(at, limit string) error {
	most, _ := strconv.Atoi(limit)
	list := agent.Listing{Files: []agent.FileInfo{}}
	if f, err := p.world.files.get(at); err == nil {
		list.Files = append(list.Files, describe(at, f))
		return json.NewEncoder(p.out()).Encode(list)
	}
	names := p.world.files.children(at)
	if len(names) == 0 && at != home {
		return absent(at)
	}
	list.More = len(names) > most
	for _, name := range names[:min(most, len(names))] {
		info := agent.FileInfo{Name: strings.TrimSuffix(name, "/"), Type: agent.TypeFolder, Mode: 0o755}
		if f, err := p.world.files.get(path.Join(at, name)); err == nil {
			info = describe(name, f)
		}
		list.Files = append(list.Files, info)
	}
	return json.NewEncoder(p.out()).Encode(list)
}

func (p *process) errandRemove(at string, recursive bool) error {
	if p.world.files.remove(at) == nil {
		return nil
	}
	switch {
	case len(p.world.files.children(at)) == 0:
		return absent(at)
	case !recursive:
		return fileError(agent.FileNotEmpty, at, "directory not empty")
	}
	p.world.files.removeAll(at)
	return nil
}
