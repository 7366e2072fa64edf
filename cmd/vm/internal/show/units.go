package show

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Ago says how long before now a time was. A time from the future, by a clock
// that differs, counts as now.
func Ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	switch d := now.Sub(t); {
	case d < 2*time.Second:
		return "just now"
	case d < 30*24*time.Hour:
		return coarse(d) + " ago"
	default:
		return t.Local().Format("2 Jan 2006")
	}
}

// Until says how long after now a time is.
func Until(now, t time.Time) string {
	if d := t.Sub(now); d > 0 {
		return "in " + coarse(d)
	}
	return "now"
}

// coarse is a span in its largest unit.
func coarse(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return plural(int(d.Hours()/24), "day", "days")
}

// Span says how long something took, to about two digits.
func Span(d time.Duration) string {
	if d >= 9950*time.Millisecond { // what rounds to 10 has no decimals
		d = d.Round(time.Second)
	}
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return pair(int(d.Minutes()), "min", int(d.Seconds())%60, "s")
	}
	return pair(int(d.Hours()), "h", int(d.Minutes())%60, "min")
}

func pair(large int, largeUnit string, small int, smallUnit string) string {
	if small == 0 {
		return fmt.Sprintf("%d %s", large, largeUnit)
	}
	return fmt.Sprintf("%d %s %d %s", large, largeUnit, small, smallUnit)
}

// Seconds is a Span of seconds.
func Seconds(s float64) string { return Span(time.Duration(s * float64(time.Second))) }

// Size is an amount of MiB in the unit that reads best.
func Size(mib float64) string {
	if mib >= 1 {
		mib = math.Round(mib*10) / 10
	}
	switch {
	case mib == 0:
		return "0"
	case mib < 1:
		return trim(mib*1024, 0) + " KiB"
	case mib < 1024:
		return trim(mib, 1) + " MiB"
	case mib < 1<<20:
		return trim(mib/1024, 1) + " GiB"
	}
	return trim(mib/(1<<20), 1) + " TiB"
}

// Bytes is a Size of bytes.
func Bytes(n int64) string {
	if n < 1024 {
		return plural(int(n), "byte", "bytes")
	}
	return Size(float64(n) / (1 << 20))
}

// Cores is an amount of CPU.
func Cores(n float64) string {
	if n == 1 {
		return "1 core"
	}
	return trim(n, 2) + " cores"
}

// Count is a number of things.
func Count(n int, one, many string) string { return plural(n, one, many) }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// trim writes a number with at most so many decimals.
func trim(v float64, decimals int) string {
	scale := math.Pow10(decimals)
	return strconv.FormatFloat(math.Round(v*scale)/scale, 'f', -1, 64)
}

// List joins names as a sentence does.
func List(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
