package native

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime"
)

// phase of a machine, as its record has it. What it is now also depends on
// whether its process lives; see record.state.
type phase string

const (
	making   phase = "making"   // by Owner, or left half-made by it
	running  phase = "running"  // until Init ends
	stopped  phase = "stopped"  // by Stop
	removing phase = "removing" // by somebody, who may have died
)

// record is what the driver knows of one machine, in its folder.
type record struct {
	Spec        runtime.Spec        `json:"spec"`
	Phase       phase               `json:"phase"`
	Owner       string              `json:"owner"`          // runtime.Owner of who made it
	Init        string              `json:"init,omitempty"` // runtime.Owner of its process 1, seen from the host
	Enforcement runtime.Enforcement `json:"enforcement"`
	Disk        bool                `json:"disk"`           // whether volume.ext4 holds its files
	Loop        string              `json:"loop,omitempty"` // device of the disk since the last start
	Base        base                `json:"base"`
	Device      string              `json:"device,omitempty"` // the host's end of its uplink
	IP          string              `json:"ip,omitempty"`     // its own end's address, while it runs

	Layers    stack            `json:"layers"`              // the first is written to, the others are frozen
	Last      int              `json:"last"`                // number of the newest layer, never used again
	Snapshots map[string]stack `json:"snapshots,omitempty"` // by name: frozen layers
	Used      int64            `json:"used,omitzero"`       // bytes of the disk at the last snapshot
}

// base is what is below a machine's own files.
type base struct {
	Lower []string `json:"lower"`           // folders, the uppermost first
	Binds []string `json:"binds,omitempty"` // host paths, read-only at the same place
	Env   []string `json:"env,omitempty"`
	Home  string   `json:"home"` // working directory of programs
	// Files are put into the machine at its first start: path → content.
	Files map[string]string `json:"files,omitempty"`
}

// write replaces the record, whole or not at all.
func (r record) write(f folder) error {
	commit, err := r.draft(f)
	if err != nil {
		return err
	}
	return commit()
}

// draft writes the record beside the one that counts. To commit it takes no room
// on the disk, so it can be the last step of something that cannot be taken back.
func (r record) draft(f folder) (commit func() error, err error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	beside := f.record() + ".new"
	if err := os.WriteFile(beside, raw, 0o600); err != nil {
		return nil, fmt.Errorf("record the machine: %w", err)
	}
	return func() error {
		if err := os.Rename(beside, f.record()); err != nil {
			return fmt.Errorf("record the machine: %w", err)
		}
		return nil
	}, nil
}

// readRecord fails with ErrNoMachine when there is no folder. Without a record
// in it, the machine is one whose removal was interrupted.
func readRecord(ref runtime.Ref, f folder) (record, error) {
	raw, err := os.ReadFile(f.record())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(string(f)); err != nil {
			return record{}, fmt.Errorf("%s: %w", ref, runtime.ErrNoMachine)
		}
		return record{Spec: runtime.Spec{Ref: ref}, Phase: removing}, nil
	case err != nil:
		return record{}, fmt.Errorf("read the record of %s: %w", ref, err)
	}
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		return record{Spec: runtime.Spec{Ref: ref}, Phase: removing}, nil
	}
	if len(r.Layers) == 0 { // written before there were snapshots
		r.addLayer()
	}
	return r, nil
}

// init returns the machine's process 1; the zero Owner when it never had one.
func (r record) init() runtime.Owner { return runtime.ParseOwner(r.Init) }

func (r record) state() runtime.State {
	switch {
	case r.Phase == running && !r.init().Gone():
		return runtime.Running
	case r.Phase == running, r.Phase == stopped:
		return runtime.Stopped
	default:
		return runtime.Partial
	}
}

func (r record) machine(f folder) runtime.Machine {
	image := r.Spec.Image
	if image == "" {
		image = "host"
	}
	return runtime.Machine{
		Ref: r.Spec.Ref, State: r.state(), ID: filepath.Base(string(f)), Image: image,
		IP: r.IP, Enforcement: r.Enforcement, Owner: runtime.ParseOwner(r.Owner),
	}
}

// claimPrefix begins the name of a folder before it is a machine's; the pid of
// its maker follows.
const claimPrefix = ".making-"

// sweepClaims removes folders whose makers died before they were machines'.
func sweepClaims(l layout) error {
	folders, err := filepath.Glob(filepath.Join(l.machines(), claimPrefix+"*"))
	if err != nil {
		return err
	}
	for _, f := range folders {
		maker, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(f), claimPrefix), "-")
		pid, err := strconv.Atoi(maker)
		if err != nil || !errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
			continue
		}
		if err := os.RemoveAll(f); err != nil {
			return fmt.Errorf("remove what a dead process left: %w", err)
		}
	}
	return nil
}

// claim makes a machine's folder with its first record in it. Both appear at
// once, so that nobody takes work in progress for a leftover.
func claim(l layout, r record) (folder, error) {
	if err := os.MkdirAll(l.machines(), 0o700); err != nil {
		return "", fmt.Errorf("make the state folder: %w", err)
	}
	temporary, err := os.MkdirTemp(l.machines(), fmt.Sprintf("%s%d-", claimPrefix, os.Getpid()))
	if err != nil {
		return "", fmt.Errorf("make the machine's folder: %w", err)
	}
	f := l.machine(r.Spec.Ref)
	if err = r.write(folder(temporary)); err == nil {
		err = os.Rename(temporary, string(f))
	}
	if err != nil {
		_ = os.RemoveAll(temporary)
		if errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("machine %s is there already: %w", r.Spec.Ref, err)
		}
		return "", fmt.Errorf("make the machine's folder: %w", err)
	}
	return f, nil
}

// machinesOf returns the refs of an instance that have a folder.
func machinesOf(l layout, instance string) ([]runtime.Ref, error) {
	entries, err := os.ReadDir(l.machines())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list machines: %w", err)
	}
	// An instance is letters and digits, so this prefix is nobody else's.
	prefix := strings.TrimSuffix(runtime.Ref{Instance: instance}.String(), "0")
	var refs []runtime.Ref
	for _, e := range entries {
		number, ours := strings.CutPrefix(e.Name(), prefix)
		id, err := strconv.ParseInt(number, 10, 64)
		if ours && err == nil {
			refs = append(refs, runtime.Ref{Instance: instance, VM: id})
		}
	}
	return refs, nil
}
