package docker

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/itechsmart/vm/runtime"
)

// Logs implements runtime.Driver. The console is what the agent printed, of
// which the engine keeps the last half a megabyte; the engine's own lines tell
// when the container was made, was started and ended.
func (d *Driver) Logs(ctx context.Context, ref runtime.Ref, tail int) ([]runtime.LogLine, error) {
	found, err := d.cli.ContainerInspect(ctx, ref.String())
	if err != nil {
		return nil, d.explain(ctx, "logs of "+ref.String(), err)
	}
	console, err := d.console(ctx, found.ID, tail)
	if err != nil {
		return nil, d.explain(ctx, "logs of "+ref.String(), err)
	}
	lines := append(engineLog(found), console...)
	slices.SortStableFunc(lines, func(a, b runtime.LogLine) int { return a.Time.Compare(b.Time) })
	return lines[max(len(lines)-max(tail, 0), 0):], nil
}

func (d *Driver) console(ctx context.Context, id string, tail int) ([]runtime.LogLine, error) {
	body, err := d.cli.ContainerLogs(ctx, id, container.LogsOptions{
		ShowStdout: true, ShowStderr: true, Timestamps: true, Tail: strconv.Itoa(max(tail, 0)),
	})
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var text bytes.Buffer
	if _, err := stdcopy.StdCopy(&text, &text, body); err != nil {
		return nil, err
	}
	return parseConsole(text.String()), nil
}

// engineLog tells a container's last life from what the engine remembers of it.
func engineLog(c container.InspectResponse) []runtime.LogLine {
	lines := []runtime.LogLine{}
	add := func(stamp, text string) {
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil || at.IsZero() { // it has not happened
			return
		}
		lines = append(lines, runtime.LogLine{Time: at, Stream: "engine", Text: text})
	}
	add(c.Created, "made from "+c.Config.Image)
	add(c.State.StartedAt, "started")
	if !c.State.Running {
		ended := fmt.Sprintf("ended with exit code %d", c.State.ExitCode)
		if c.State.OOMKilled {
			ended += ", out of memory"
		}
		add(c.State.FinishedAt, ended)
	}
	return lines
}

// parseConsole reads lines that begin with a time stamp and a space.
func parseConsole(text string) []runtime.LogLine {
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
