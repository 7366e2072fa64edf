package guest

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
)

// Guest and kernel speak messages of fields over the kernel's standard input and
// output: the number of fields in decimal, a NUL, and each field with a NUL after
// it. Every language reads that without a library, and no path, argument or
// variable holds a NUL.
//
//	guest  → kernel  folder, file, dir, number of args, args …, KEY=VALUE …
//	kernel → guest   "ready", once it waits for messages
//	                 "begun", once it has opened the pipes
//	                 "done", exit code, value, and mime, name, base64 for each artifact
//
// For each request the kernel opens the pipes stdin, stdout and stderr that are
// in the folder, in that order, as its descriptors 0, 1 and 2; it changes into dir
// unless that is empty, executes the file and, before it is done, puts /dev/null
// in their place. SIGINT interrupts the code and leaves the kernel alive.

// maxMessage bounds a kernel's message in bytes, maxFields in fields.
const (
	maxMessage = 6 << 20
	maxFields  = 1 << 16
)

var errFields = errors.New("not a message")

func appendFields(b []byte, fields []string) []byte {
	b = append(strconv.AppendInt(b, int64(len(fields)), 10), 0)
	for _, f := range fields {
		b = append(append(b, f...), 0)
	}
	return b
}

// ReadFields reads one message of a kernel, or to one.
func ReadFields(r *bufio.Reader) ([]string, error) {
	left := maxMessage
	count, err := readField(r, &left)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || n > maxFields {
		return nil, errFields
	}
	fields := make([]string, 0, min(n, 64))
	for range n {
		f, err := readField(r, &left)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// WriteFields writes one message.
func WriteFields(w io.Writer, fields ...string) error {
	_, err := w.Write(appendFields(nil, fields))
	return err
}

// readField reads up to the next NUL, as far as left allows.
func readField(r *bufio.Reader, left *int) (string, error) {
	var field strings.Builder
	for {
		part, err := r.ReadSlice(0)
		if *left -= len(part); *left < 0 {
			return "", errFields
		}
		field.Write(part)
		if err == nil {
			text := field.String()
			return text[:len(text)-1], nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return "", err
		}
	}
}
