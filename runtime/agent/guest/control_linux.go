package guest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Guest and supervisor speak JSON over a socket pair, each message behind its
// length (uint32, big-endian). The guest leads:
//
//	order    carries              reports that follow
//	start    command, 3 pipes     started, then exited; or failed
//	signal   number               signalled
//	kill                          none: exited comes soon
//	finish   detach               finished
//	hatch    command, code        hatched, before any other
//	bury                          none
//
// Start with fork has the program forked from the zygote that was hatched last
// (zygote_linux.go) or, where that cannot be, started.
//
// A supervisor whose tree is gone when its program ends says so in exited
// (Alone) and is free for the next start; finish is not sent then.
type order struct {
	Op      string   `json:"op"`
	Seq     int      `json:"seq"` // of the program; an order for an earlier one is void
	Command *command `json:"command,omitempty"`
	Signal  int      `json:"signal,omitempty"`
	Detach  bool     `json:"detach,omitempty"`
	Fork    bool     `json:"fork,omitempty"`
	Code    []byte   `json:"code,omitempty"`
}

// command is what a supervisor starts.
type command struct {
	Path     string   `json:"path"`
	Argv     []string `json:"argv"`
	Env      []string `json:"env"`
	Dir      string   `json:"dir"`
	User     *user    `json:"user,omitempty"` // nil = as the supervisor
	FileSize int64    `json:"fileSize,omitempty"`
	Terminal bool     `json:"terminal,omitempty"` // the streams are one, to be its controlling terminal
	Options  int      `json:"options,omitempty"`  // as agent.Zygote.Options
}

// report is what a supervisor tells.
type report struct {
	Op     string        `json:"op"`
	Errno  unix.Errno    `json:"errno,omitempty"`  // of failed
	Code   int           `json:"code,omitempty"`   // of exited
	Signal int           `json:"signal,omitempty"` // of exited
	Alone  bool          `json:"alone,omitempty"`  // of exited: nothing else was left
	CPU    time.Duration `json:"cpu,omitempty"`    // so far, with exited and finished
	Peak   int64         `json:"peak,omitempty"`   // bytes, likewise
	Wrote  int64         `json:"wrote,omitempty"`  // bytes, to file systems on disks
	Killed bool          `json:"killed,omitempty"` // something died by a SIGKILL that was not ours
	Retire bool          `json:"retire,omitempty"` // the supervisor is not fit for another program
	Forked bool          `json:"forked,omitempty"` // the program was
	Zygote int           `json:"zygote,omitempty"` // pid of the interpreter that waits; 0 = none
}

// maxOrder bounds a message; arguments and environment of a program have to
// fit in what execve takes, 2 MiB by default.
const maxOrder = 16 << 20

// control is one end of the socket pair.
type control struct{ *net.UnixConn }

// newControl takes fd over.
func newControl(fd int) (control, error) {
	f := os.NewFile(uintptr(fd), "control")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return control{}, err
	}
	return control{conn.(*net.UnixConn)}, nil
}

// send writes a message with descriptors.
func (c control) send(v any, fds ...int) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(text) > maxOrder {
		return unix.E2BIG
	}
	message := append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...)
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	n, _, err := c.WriteMsgUnix(message, rights, nil)
	if err == nil && n < len(message) {
		_, err = c.Write(message[n:])
	}
	return err
}

// receive reads a message and the descriptors that came with it, which are
// closed on exec.
func (c control) receive(v any) (fds []int, err error) {
	var header [4]byte
	oob := make([]byte, unix.CmsgSpace(3*4))
	n, oobn, _, _, err := c.ReadMsgUnix(header[:], oob)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, io.EOF
	}
	if fds, err = parseRights(oob[:oobn]); err != nil {
		return nil, err
	}
	if _, err = io.ReadFull(c, header[n:]); err != nil {
		return fds, err
	}
	size := binary.BigEndian.Uint32(header[:])
	if size > maxOrder {
		return fds, fmt.Errorf("message of %d bytes", size)
	}
	text := make([]byte, size)
	if _, err = io.ReadFull(c, text); err != nil {
		return fds, err
	}
	return fds, json.Unmarshal(text, v)
}

func parseRights(oob []byte) ([]int, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var fds []int
	for _, m := range messages {
		got, err := unix.ParseUnixRights(&m)
		if err != nil && !errors.Is(err, unix.EINVAL) {
			return nil, err
		}
		fds = append(fds, got...)
	}
	return fds, nil
}
