package show

// Colour is an SGR parameter of ECMA-48, as terminals take it; "" is plain.
type Colour string

// Colours.
const (
	Plain   Colour = ""
	Bold    Colour = "1"
	Dim     Colour = "2"
	Red     Colour = "31"
	Green   Colour = "32"
	Yellow  Colour = "33"
	Blue    Colour = "34"
	Magenta Colour = "35"
	Cyan    Colour = "36"
)

// Palette paints, or does not.
type Palette bool

// Paint gives text a colour when the palette is on.
func (p Palette) Paint(c Colour, text string) string {
	if !bool(p) || c == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// Several tells things apart: the i-th of a series.
func Several(i int) Colour {
	series := []Colour{Cyan, Magenta, Yellow, Blue, Green}
	return series[i%len(series)]
}
