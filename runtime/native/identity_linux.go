package native

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/itechsmart/vm/runtime"
)

// The ids of a machine: its own root, and the user that programs run as.
const (
	machineIDs  = 65536
	sandboxID   = 1000
	sandboxName = "sandbox"
	sandboxHome = "/home/sandbox"
)

// hostBase is the first of the host's user and group ids that stand for a
// machine's, when the driver is root. They belong to nobody: container managers
// share out the ids below 0x70000000, systemd reserves those from 0x7FFE0000 on
// (systemd's UIDS-GIDS.md), and no range of /etc/subuid is made there.
const hostBase = 0x7F000000

// identity is who machines are, seen from the host.
type identity struct {
	// privileged: this process is the host's root and makes the mounts itself.
	privileged bool
	// manyIDs: a machine has users of its own, root among them. Else it has
	// just the one, who is the caller.
	manyIDs bool
	// helpers: the ids are mapped by newuidmap and newgidmap.
	helpers    bool
	uids, gids []syscall.SysProcIDMap
	// Host ids of a machine's root and of its ordinary user. They own the
	// folders that the driver prepares.
	root, sandbox owner
}

type owner struct{ uid, gid int }

// findIdentity returns how this process can map ids, and what would make it
// better.
func findIdentity() (identity, []runtime.Note) {
	if isHostRoot() {
		whole := []syscall.SysProcIDMap{{ContainerID: 0, HostID: hostBase, Size: machineIDs}}
		return identity{
			privileged: true, manyIDs: true, uids: whole, gids: whole,
			root:    owner{hostBase, hostBase},
			sandbox: owner{hostBase + sandboxID, hostBase + sandboxID},
		}, nil
	}
	self := owner{os.Geteuid(), os.Getegid()}
	id, err := subordinate(self)
	if err == nil {
		return id, nil
	}
	note := runtime.Note{
		Problem: "Machines have a single user, who is also their guest: " + err.Error() + ".",
		Mend:    "sudo apt-get install uidmap && sudo usermod --add-subuids 200000-265535 --add-subgids 200000-265535 $USER",
	}
	return identity{
		uids: []syscall.SysProcIDMap{{ContainerID: sandboxID, HostID: self.uid, Size: 1}},
		gids: []syscall.SysProcIDMap{{ContainerID: sandboxID, HostID: self.gid, Size: 1}},
		root: self, sandbox: self,
	}, []runtime.Note{note}
}

// isHostRoot reports whether this process may do what the host's root may:
// user 0 with the right to mount, in the first user namespace.
func isHostRoot() bool {
	if os.Geteuid() != 0 {
		return false
	}
	raw, err := os.ReadFile("/proc/self/uid_map")
	if err != nil || strings.Join(strings.Fields(string(raw)), " ") != "0 0 4294967295" {
		return false
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}

// subordinate maps the ids that /etc/subuid and /etc/subgid grant the user; the
// machine's ordinary user is the caller, so that files keep their owner.
func subordinate(self owner) (identity, error) {
	for _, helper := range []string{"newuidmap", "newgidmap"} {
		if _, err := exec.LookPath(helper); err != nil {
			return identity{}, fmt.Errorf("%s is not installed", helper)
		}
	}
	uidBase, err := grantedRange("/etc/subuid", self.uid)
	if err != nil {
		return identity{}, err
	}
	gidBase, err := grantedRange("/etc/subgid", self.uid)
	if err != nil {
		return identity{}, err
	}
	return identity{
		manyIDs: true, helpers: true,
		uids: around(uidBase, self.uid), gids: around(gidBase, self.gid),
		// It can give files to nobody else.
		root: self, sandbox: self,
	}, nil
}

// around maps self to the machine's ordinary user, and the ids below and above
// it to a granted range.
func around(base, self int) []syscall.SysProcIDMap {
	return []syscall.SysProcIDMap{
		{ContainerID: 0, HostID: base, Size: sandboxID},
		{ContainerID: sandboxID, HostID: self, Size: 1},
		{ContainerID: sandboxID + 1, HostID: base + sandboxID, Size: machineIDs - sandboxID - 1},
	}
}

// grantedRange returns the first id of a range that file, as subuid(5), grants
// to the user and that is large enough for a machine.
func grantedRange(file string, uid int) (int, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, fmt.Errorf("%s cannot be read", file)
	}
	names := []string{strconv.Itoa(uid)}
	if u, err := user.LookupId(names[0]); err == nil {
		names = append(names, u.Username)
	}
	for lines := bufio.NewScanner(bytes.NewReader(raw)); lines.Scan(); {
		fields := strings.Split(strings.TrimSpace(lines.Text()), ":")
		if len(fields) != 3 || fields[0] != names[0] && fields[0] != names[len(names)-1] {
			continue
		}
		base, baseErr := strconv.Atoi(fields[1])
		count, countErr := strconv.Atoi(fields[2])
		if baseErr == nil && countErr == nil && count >= machineIDs-1 {
			return base, nil
		}
	}
	return 0, fmt.Errorf("%s grants this user no range of %d ids", file, machineIDs)
}

// mapIDs writes the id maps of a process that waits for them.
func (id identity) mapIDs(pid int) error {
	if !id.helpers {
		return nil // written when the process was made
	}
	if err := runMapper("newuidmap", pid, id.uids); err != nil {
		return err
	}
	return runMapper("newgidmap", pid, id.gids)
}

func runMapper(helper string, pid int, maps []syscall.SysProcIDMap) error {
	args := []string{strconv.Itoa(pid)}
	for _, m := range maps {
		args = append(args, strconv.Itoa(m.ContainerID), strconv.Itoa(m.HostID), strconv.Itoa(m.Size))
	}
	out, err := exec.Command(helper, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", helper, err, bytes.TrimSpace(out))
	}
	return nil
}
