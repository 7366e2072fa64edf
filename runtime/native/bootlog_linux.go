package native

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/itechsmart/vm/runtime"
)

// bootLog keeps the steps of a machine's starts: a line each, with its time.
type bootLog struct{ file *os.File }

func openBootLog(f folder) (*bootLog, error) {
	file, err := os.OpenFile(f.boot(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the boot log: %w", err)
	}
	l := &bootLog{file}
	l.add("starting")
	return l, nil
}

// add writes a line. A log that cannot be written stops no machine.
func (l *bootLog) add(step string) {
	step = strings.ReplaceAll(step, "\n", " ")
	_, _ = fmt.Fprintf(l.file, "%s %s\n", time.Now().UTC().Format(time.RFC3339Nano), step)
}

func (l *bootLog) close() { _ = l.file.Close() }

// readBootLog returns its lines, oldest first.
func readBootLog(f folder) ([]runtime.LogLine, error) {
	raw, err := os.ReadFile(f.boot())
	if err != nil {
		return nil, err
	}
	var lines []runtime.LogLine
	for line := range strings.Lines(string(raw)) {
		stamp, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil {
			continue
		}
		lines = append(lines, runtime.LogLine{Time: at, Stream: "boot", Text: text})
	}
	return lines, nil
}
