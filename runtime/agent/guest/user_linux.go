package guest

import (
	"bytes"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// user is whom a program runs as. A nil user is the guest itself.
type user struct {
	UID int `json:"uid"`
	GID int `json:"gid"`
	// KeepGroups: the kernel lets nobody drop groups here, in a user namespace
	// that an ordinary user made.
	KeepGroups bool `json:"keepGroups,omitempty"`
}

// ordinaryUser is the VM's ordinary user, or nil when the guest is not root and
// cannot become another.
func ordinaryUser(c Config) *user {
	if unix.Geteuid() != 0 {
		return nil
	}
	setgroups, _ := os.ReadFile("/proc/self/setgroups")
	return &user{UID: c.UID, GID: c.GID, KeepGroups: bytes.HasPrefix(setgroups, []byte("deny"))}
}

func (u *user) credential() *syscall.Credential {
	return &syscall.Credential{Uid: uint32(u.UID), Gid: uint32(u.GID), NoSetGroups: u.KeepGroups}
}
