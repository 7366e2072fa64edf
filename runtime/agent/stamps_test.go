package agent

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStampsTravel(t *testing.T) {
	want := []Stamp{
		{Path: "/plain", Mode: 0o644, UID: 1000, GID: 1001, Size: 1 << 40, Sum: "\x00\xffsum"},
		{Path: "/a link", Mode: fs.ModeSymlink | 0o777, Target: "../\n"},
		{Path: "/folder", Mode: fs.ModeDir | fs.ModeSticky | 0o700},
		{Path: strings.Repeat("/deep", 800)},
	}
	var stream []byte
	for _, s := range want {
		stream = s.Append(stream)
	}
	var got []Stamp
	in := bufio.NewReader(bytes.NewReader(stream))
	for {
		s, err := readStamp(in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestStampsOfAHostileGuest reads what no guest of ours would send.
func TestStampsOfAHostileGuest(t *testing.T) {
	whole := Stamp{Path: "/plain", Mode: 0o644, Sum: "sum"}.Append(nil)
	hostile := map[string][]byte{
		"cut short":         whole[:len(whole)-1],
		"endless":           {0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"more than its end": append([]byte{whole[0] + 1}, append(whole[1:len(whole):len(whole)], 0)...),
		"a path too long":   {2, 200, 1},
		"empty":             {0},
		"a negative size":   {16, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0},
	}
	for name, stream := range hostile {
		s, err := readStamp(bufio.NewReader(bytes.NewReader(stream)))
		if err == nil || errors.Is(err, io.EOF) && !errors.Is(err, errStamp) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}
