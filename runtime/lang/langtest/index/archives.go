package index

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
)

// entry is a file of an archive.
type entry struct{ name, text string }

// zipOf packs files into a zip archive.
func zipOf(files ...entry) []byte {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	for _, f := range files {
		part, err := w.Create(f.name)
		must(err)
		_, err = part.Write([]byte(f.text))
		must(err)
	}
	must(w.Close())
	return packed.Bytes()
}

// tarOf packs files, which anybody may run, into a compressed tar archive.
func tarOf(files ...entry) []byte {
	var packed bytes.Buffer
	squeezed := gzip.NewWriter(&packed)
	w := tar.NewWriter(squeezed)
	for _, f := range files {
		must(w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o755, Size: int64(len(f.text)), Typeflag: tar.TypeReg}))
		_, err := w.Write([]byte(f.text))
		must(err)
	}
	must(w.Close())
	must(squeezed.Close())
	return packed.Bytes()
}

// arOf packs files into an archive of ar(5), as Debian's packages are.
func arOf(files ...entry) []byte {
	packed := bytes.NewBufferString("!<arch>\n")
	for _, f := range files {
		fmt.Fprintf(packed, "%-16s%-12d%-6d%-6d%-8o%-10d`\n%s", f.name, 0, 0, 0, 0o100644, len(f.text), f.text)
		if len(f.text)%2 == 1 {
			packed.WriteByte('\n')
		}
	}
	return packed.Bytes()
}
