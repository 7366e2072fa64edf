package pool

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"

	"github.com/itechsmart/vm/runtime"
)

// Patches are as git-diff(1) writes and git-apply(1) reads them: a header that
// tells of types and permissions, then a unified diff. The paths are those in the
// VM, without the leading slash.

// patching makes the patch of one path.
type patching struct {
	path          string
	before, after side
}

// side is a file before or after.
type side struct {
	state   *runtime.FileState // nil = there is none
	content []byte             // of a regular file, or a link's target
}

// shown reports whether patches show such a thing at all.
func (s side) shown() bool {
	return s.state != nil && (s.state.Mode.IsRegular() || s.state.Mode.Type() == fs.ModeSymlink)
}

// text returns the patch; "" when nothing of the change can be shown.
func (p patching) text() string {
	if p.before.shown() && p.after.shown() && p.before.state.Mode.Type() != p.after.state.Mode.Type() {
		// One goes, the other comes.
		return patching{path: p.path, before: p.before}.text() + patching{path: p.path, after: p.after}.text()
	}
	var header strings.Builder
	from, to := gitPath("a", p.path), gitPath("b", p.path)
	fmt.Fprintf(&header, "diff --git %s %s\n", from, to)
	switch {
	case !p.before.shown() && !p.after.shown():
		return ""
	case !p.before.shown():
		fmt.Fprintf(&header, "new file mode %s\n", gitMode(p.after.state.Mode))
		from = "/dev/null"
	case !p.after.shown():
		fmt.Fprintf(&header, "deleted file mode %s\n", gitMode(p.before.state.Mode))
		to = "/dev/null"
	case gitMode(p.before.state.Mode) != gitMode(p.after.state.Mode):
		fmt.Fprintf(&header, "old mode %s\nnew mode %s\n", gitMode(p.before.state.Mode), gitMode(p.after.state.Mode))
	case bytes.Equal(p.before.content, p.after.content):
		return "" // its owner alone
	}
	old, changed := string(p.before.content), string(p.after.content)
	lines, err := udiff.ToUnified(from, to, old, udiff.Lines(old, changed), diffContext)
	if err != nil {
		return "" // edits that were computed from the text always apply to it
	}
	return header.String() + lines
}

// renamed is the patch of a file that has another name, and perhaps other
// permissions.
func renamed(from, to FileDiff) string {
	text := fmt.Sprintf("diff --git %s %s\n", gitPath("a", from.Path), gitPath("b", to.Path))
	if before, after := gitMode(from.Before.Mode), gitMode(to.After.Mode); before != after {
		text += fmt.Sprintf("old mode %s\nnew mode %s\n", before, after)
	}
	return text + fmt.Sprintf("similarity index 100%%\nrename from %s\nrename to %s\n", gitPath("", from.Path), gitPath("", to.Path))
}

// gitPath is a path as a patch has it, quoted where it must be.
func gitPath(side, path string) string {
	path = strings.TrimPrefix(side+path, "/")
	if strings.ContainsFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f || r == '"' || r == '\\' || r == utf8.RuneError }) {
		return gitQuote(path)
	}
	return path
}

// gitQuote quotes as git does: bytes beyond ASCII, and those that do nothing good
// to a terminal, in octal.
func gitQuote(path string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range []byte(path) {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// gitMode is a mode as patches have it: the type, and the permissions, of which
// git itself heeds the first execute bit alone.
func gitMode(mode fs.FileMode) string {
	if mode.Type() == fs.ModeSymlink {
		return "120000"
	}
	return fmt.Sprintf("100%03o", mode.Perm())
}

// textual says why content is not shown line by line.
func textual(content []byte) (why string) {
	if bytes.IndexByte(content, 0) >= 0 || !utf8.Valid(content) {
		return NoPatchBinary
	}
	return ""
}
