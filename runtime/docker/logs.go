package docker

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/itechsmart/vm/runtime"
)

// Logs implements runtime.Driver: the console of a container is what its agent
// printed. The engine keeps the last half a megabyte.
func (d *Driver) Logs(ctx context.Context, ref runtime.Ref, tail int) ([]runtime.LogLine, error) {
	body, err := d.cli.ContainerLogs(ctx, ref.String(), container.LogsOptions{
		ShowStdout: true, ShowStderr: true, Timestamps: true, Tail: strconv.Itoa(max(tail, 0)),
	})
	if err != nil {
		return nil, d.explain(ctx, "logs of "+ref.String(), err)
	}
	defer body.Close()
	var text bytes.Buffer
	if _, err := stdcopy.StdCopy(&text, &text, body); err != nil {
		return nil, d.explain(ctx, "logs of "+ref.String(), err)
	}
	return parseLog(text.String()), nil
}

// parseLog reads lines that begin with a time stamp and a space.
func parseLog(text string) []runtime.LogLine {
	var lines []runtime.LogLine
	for line := range strings.Lines(text) {
		stamp, said, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil {
			continue // the tail of a line that the engine split
		}
		lines = append(lines, runtime.LogLine{Time: at, Stream: "console", Text: said})
	}
	return lines
}
