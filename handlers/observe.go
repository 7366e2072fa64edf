package handlers

import (
	"context"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
	"github.com/itechsmart/vm/runtime/agent"
	"github.com/itechsmart/vm/runtime/pool"
)

// progress reports a slow operation under the workDoneToken. The function
// returned ends it and is always called.
func (s Scope) progress(ctx context.Context, t Tokens, title string) (report runtime.Progress, end func(error)) {
	p := NewProgress(s.Client, t.WorkDoneToken)
	p.Begin(ctx, title)
	return p.Report, func(err error) {
		message := ""
		if err != nil {
			message = AsError(err).Message
		}
		p.End(message)
	}
}

// observe sends an execution's output under the partialResultToken as it comes,
// or gives it to Scope.Output. flush sends the rest and is always called, before
// the response.
func (s Scope) observe(ctx context.Context, t Tokens) (o pool.Observer, flush func()) {
	if s.Output != nil {
		return s.observeBytes(), func() {}
	}
	if len(t.PartialResultToken) == 0 {
		return pool.Observer{}, func() {}
	}
	out := NewOutput(ctx, s.Client, t.PartialResultToken)
	// A client that cannot be reached any more learns nothing; the record has
	// the output all the same.
	return pool.Observer{
		Started: func(e db.Execution) { _ = out.Start(e.ID, e.VMID) },
		Output:  func(stream agent.Stream, p []byte) { _ = out.Write(stream.String(), p) },
	}, func() { _ = out.Flush() }
}

// observeBytes gives output to a caller in the same process.
func (s Scope) observeBytes() pool.Observer {
	var ids OutputChunk
	return pool.Observer{
		Started: func(e db.Execution) {
			ids = OutputChunk{ExecutionID: e.ID, VMID: e.VMID}
			s.Output(ids)
		},
		Output: func(stream agent.Stream, p []byte) {
			chunk := ids
			chunk.Stream, chunk.Text = stream.String(), string(p)
			s.Output(chunk)
		},
	}
}
