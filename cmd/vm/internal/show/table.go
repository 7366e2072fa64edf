package show

import (
	"io"
	"slices"
	"strings"
)

// Column of a table.
type Column struct {
	Title string
	Right bool // numbers
	Least int  // its cells may be shortened to this width; 0 = never
	Drop  int  // left out when the table is still too wide, the highest first; 0 = never
}

// Cell of a table. Its text may come from anywhere: it is shown as one line and
// nothing in it takes effect on the terminal.
type Cell struct {
	Text   string
	Colour Colour
}

// Cells makes a row of plain cells.
func Cells(texts ...string) []Cell {
	row := make([]Cell, len(texts))
	for i, text := range texts {
		row[i] = Cell{Text: text}
	}
	return row
}

// gap is the space between two columns.
const gap = 2

// Table writes rows below their titles. A width above 0 is kept as far as the
// columns allow: the widest is shortened first.
func Table(w io.Writer, width int, p Palette, columns []Column, rows [][]Cell) error {
	for _, row := range rows {
		for i := range row {
			row[i].Text = Line(row[i].Text)
		}
	}
	widths := fit(columns, rows, width)
	var out strings.Builder
	titles := make([]Cell, len(columns))
	for i, c := range columns {
		titles[i] = Cell{c.Title, Dim}
	}
	for _, row := range append([][]Cell{titles}, rows...) {
		writeRow(&out, p, columns, widths, row)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func writeRow(out *strings.Builder, p Palette, columns []Column, widths []int, row []Cell) {
	pending := 0 // spaces that are written when something follows
	first := true
	for i, cell := range row {
		if widths[i] < 0 {
			continue
		}
		if !first {
			pending += gap
		}
		first = false
		text := Short(cell.Text, widths[i])
		fill := widths[i] - Width(text)
		if columns[i].Right {
			pending += fill
			fill = 0
		}
		if text != "" {
			out.WriteString(strings.Repeat(" ", pending))
			out.WriteString(p.Paint(cell.Colour, text))
			pending = 0
		}
		pending += fill
	}
	out.WriteByte('\n')
}

// fit is each column's width; -1 for one that is left out.
func fit(columns []Column, rows [][]Cell, width int) []int {
	natural := make([]int, len(columns))
	for i, c := range columns {
		natural[i] = Width(c.Title)
		for _, row := range rows {
			natural[i] = max(natural[i], Width(row[i].Text))
		}
	}
	for {
		widths := slices.Clone(natural)
		for width > 0 && shorten(columns, widths, total(widths)-width) {
		}
		if width <= 0 || total(widths) <= width || !drop(columns, natural) {
			return widths
		}
	}
}

func total(widths []int) int {
	sum := -gap
	for _, w := range widths {
		if w >= 0 {
			sum += w + gap
		}
	}
	return sum
}

// shorten takes some of what is over from the widest column that allows it.
func shorten(columns []Column, widths []int, over int) bool {
	widest, second := -1, 0
	for i, w := range widths {
		if least := columns[i].Least; least == 0 || w <= least {
			continue
		}
		if widest < 0 || w > widths[widest] {
			if widest >= 0 {
				second = widths[widest]
			}
			widest = i
		} else {
			second = max(second, w)
		}
	}
	if over <= 0 || widest < 0 {
		return false
	}
	take := min(over, widths[widest]-columns[widest].Least, max(1, widths[widest]-second))
	widths[widest] -= take
	return true
}

// drop leaves out the column that matters least.
func drop(columns []Column, widths []int) bool {
	least := -1
	for i, c := range columns {
		if c.Drop > 0 && widths[i] >= 0 && (least < 0 || c.Drop > columns[least].Drop) {
			least = i
		}
	}
	if least >= 0 {
		widths[least] = -1
	}
	return least >= 0
}
