package langtest

import (
	"bytes"
	"image/png"
	"strings"
	"testing"

	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/lang"
)

// exhibit is code that shows something beside text.
type exhibit struct {
	code  string
	files []agent.File // beside it
	mimes []string     // of what is shown
	names []string
	left  string // what is left out for its size, and named on standard error
}

// plotting imitates as much of matplotlib.pyplot as a session looks for, because
// the real one is too large for the machines of the tests.
const plotting = `
import binascii, struct, zlib

open_figures = []

class Figure:
    def savefig(self, to, format, bbox_inches):
        assert format == "png"
        def chunk(kind, data):
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", binascii.crc32(kind + data))
        to.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 0, 0, 0, 0)) +
                 chunk(b"IDAT", zlib.compress(b"\0\x10\x20")) + chunk(b"IEND", b""))

def plot(*points):
    open_figures.append(Figure())

def get_fignums():
    return list(range(1, len(open_figures) + 1))

def figure(number):
    return open_figures[number - 1]

def close(which):
    open_figures.clear()
`

var exhibits = map[string][]exhibit{
	"python": {
		{
			code:  "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.plot([2, 1])",
			files: []agent.File{{Path: "matplotlib/__init__.py"}, {Path: "matplotlib/pyplot.py", Data: []byte(plotting)}},
			mimes: []string{"image/png", "image/png"}, names: []string{"figure-1.png", "figure-2.png"},
		},
		{
			code:  "class Table:\n    def _repr_html_(self):\n        return '<b>größer</b>'\nTable()",
			mimes: []string{"text/html"}, names: []string{"value.html"},
		},
		{
			code: "class Long:\n    def _repr_html_(self):\n        return 'x' * (5 << 20)\nLong()",
			left: "value.html is left out",
		},
	},
	"r": {
		{
			code:  "plot(1:10)\nhist(c(1, 2, 2))",
			mimes: []string{"image/png", "image/png"}, names: []string{"figure-1.png", "figure-2.png"},
		},
		{code: "invisible(1)"},
	},
}

// runArtifacts holds a language's sessions to showing plots and the like.
func runArtifacts(t *testing.T, client *agent.Client, l lang.Language, host, must bool) {
	c := &talk{T: t, client: client, lang: l, host: host}
	for _, x := range exhibits[l.ID] {
		run := c.plan("shown", x.code)
		run.Files = append(run.Files, x.files...)
		r := execute(t, client, run)
		c.skipMissing(r, must)
		if r.ExitCode != 0 || !strings.Contains(string(r.Stderr.Head), x.left) {
			t.Errorf("%q: code %d, want %q on standard error:\n%s", x.code, r.ExitCode, x.left, r.Stderr.Head)
		}
		x.check(t, r.Artifacts)
	}
	if err := client.CloseSession(t.Context(), "shown"); err != nil {
		t.Errorf("closing the session: %v", err)
	}
}

func (x exhibit) check(t *testing.T, got []agent.Artifact) {
	t.Helper()
	if len(got) != len(x.names) {
		t.Errorf("%q shows %d things, want %q", x.code, len(got), x.names)
		return
	}
	for i, a := range got {
		if a.Name != x.names[i] || a.MIME != x.mimes[i] {
			t.Errorf("%q shows %s of %s, want %s of %s", x.code, a.Name, a.MIME, x.names[i], x.mimes[i])
		}
		if _, err := png.Decode(bytes.NewReader(a.Data)); a.MIME == "image/png" && err != nil {
			t.Errorf("%q: %s is no picture: %v", x.code, a.Name, err)
		}
	}
}
