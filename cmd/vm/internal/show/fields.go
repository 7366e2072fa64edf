package show

import (
	"fmt"
	"io"
)

// Field is a name and what is to be said under it.
type Field struct {
	Name, Value string
}

// Fields writes one field a line, values below each other; those without a
// value are left out.
func Fields(w io.Writer, p Palette, fields []Field) error {
	widest := 0
	for _, f := range fields {
		if f.Value != "" {
			widest = max(widest, Width(f.Name))
		}
	}
	for _, f := range fields {
		if f.Value == "" {
			continue
		}
		name := metric.FillRight(f.Name, widest)
		if _, err := fmt.Fprintf(w, "  %s  %s\n", p.Paint(Dim, name), f.Value); err != nil {
			return err
		}
	}
	return nil
}
