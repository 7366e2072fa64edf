//go:build linux

package native

import (
	"encoding/binary"
	"testing"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// TestFilter runs the compiled filter on calls, as the kernel would.
func TestFilter(t *testing.T) {
	instructions, err := compileFilter()
	if err != nil {
		t.Fatal(err)
	}
	vm, err := bpf.NewVM(instructions)
	if err != nil {
		t.Fatal(err)
	}
	info, err := arch.GetInfo("")
	if err != nil {
		t.Fatal(err)
	}
	const (
		allow  = uint32(seccomp.ActionAllow)
		eperm  = uint32(seccomp.ActionErrno) | uint32(unix.EPERM)
		enosys = uint32(seccomp.ActionErrno) | uint32(unix.ENOSYS)
		family = uint32(seccomp.ActionErrno) | uint32(unix.EAFNOSUPPORT)
		high   = uint64(1) << 32 // a bit that the kernel ignores in a 32-bit argument
	)
	for _, test := range []struct {
		call string
		args []uint64
		want uint32
	}{
		{"read", nil, allow},
		{"execve", nil, allow},
		{"ptrace", nil, allow},
		{"rseq", nil, allow},
		{"mount", nil, eperm},
		{"unshare", nil, eperm},
		{"setns", nil, eperm},
		{"bpf", nil, eperm},
		{"userfaultfd", nil, eperm},
		{"keyctl", nil, eperm},
		{"open_by_handle_at", nil, eperm},
		{"clone3", nil, enosys},
		{"io_uring_setup", nil, enosys},
		{"clone", []uint64{uint64(unix.SIGCHLD)}, allow},
		{"clone", []uint64{unix.CLONE_VM | unix.CLONE_THREAD | unix.CLONE_SIGHAND}, allow},
		{"clone", []uint64{unix.CLONE_NEWUSER | uint64(unix.SIGCHLD)}, eperm},
		{"clone", []uint64{unix.CLONE_NEWNET}, eperm},
		{"clone", []uint64{unix.CLONE_NEWCGROUP | high}, eperm},
		{"ioctl", []uint64{0, unix.TCGETS}, allow},
		{"ioctl", []uint64{0, unix.TIOCSTI}, eperm},
		{"ioctl", []uint64{0, unix.TIOCSTI | high}, eperm},
		{"ioctl", []uint64{0, unix.TIOCLINUX}, eperm},
		{"socket", []uint64{unix.AF_UNIX}, allow},
		{"socket", []uint64{unix.AF_INET6}, allow},
		{"socket", []uint64{unix.AF_NETLINK}, allow},
		{"socket", []uint64{unix.AF_PACKET}, family},
		{"socket", []uint64{unix.AF_ALG}, family},
		{"socket", []uint64{unix.AF_ALG | high}, family},
		{"socket", []uint64{unix.AF_VSOCK}, family},
		{"socket", []uint64{unix.AF_UNIX | high}, allow}, // the kernel sees AF_UNIX
		{"personality", []uint64{0}, allow},
		{"personality", []uint64{0xffffffff}, allow},
		{"personality", []uint64{0x0400000}, eperm}, // READ_IMPLIES_EXEC
	} {
		number, known := info.SyscallNames[test.call]
		if !known {
			t.Errorf("no number of %s", test.call)
			continue
		}
		if got := runFilter(t, vm, uint32(info.ID), uint32(number), test.args); got != test.want {
			t.Errorf("%s%x = %#x, want %#x", test.call, test.args, got, test.want)
		}
	}
	if got := runFilter(t, vm, uint32(info.ID), 4000, nil); got != enosys {
		t.Errorf("a call of the future = %#x, want ENOSYS", got)
	}
	if got := runFilter(t, vm, uint32(arch.I386.ID)+1, 0, nil); got != enosys {
		t.Errorf("a call of another architecture = %#x, want ENOSYS", got)
	}
}

// TestFilterGroups holds the lists to not contradicting each other.
func TestFilterGroups(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range append(append([]string{"clone", "clone3", "ioctl", "socket", "personality"}, allowed...), refused...) {
		if seen[name] {
			t.Errorf("%s is listed twice", name)
		}
		seen[name] = true
	}
}

// runFilter evaluates the filter on a struct seccomp_data; seccomp(2). The
// machine of package bpf loads big-endian words, so each is written that way,
// with the two halves of an argument where this machine has them.
func runFilter(t *testing.T, vm *bpf.VM, architecture, number uint32, args []uint64) uint32 {
	t.Helper()
	data := make([]byte, 64)
	binary.BigEndian.PutUint32(data, number)
	binary.BigEndian.PutUint32(data[4:], architecture)
	for i, arg := range args {
		low, high := 16+8*i, 20+8*i
		binary.BigEndian.PutUint32(data[low:], uint32(arg))
		binary.BigEndian.PutUint32(data[high:], uint32(arg>>32))
	}
	result, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(result)
}
