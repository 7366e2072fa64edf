package main

import (
	"fmt"
	"io"

	"github.com/itechsmart/vm/cmd/vm/internal/show"
	"github.com/itechsmart/vm/handlers"
)

// shownDiff is how many lines of one diff are shown in a terminal.
const shownDiff = 60

// compare shows how the code ended in each VM, and how the answers differ.
func (t *terminal) compare(r handlers.BatchResult, matrix bool) error {
	if err := t.table(batchTable(r, matrix)); err != nil {
		return err
	}
	if len(r.Groups) < 2 {
		return nil
	}
	t.say("\nThe VMs gave %d different answers.", len(r.Groups))
	for i := range r.Groups[1:] {
		if err := t.outlier(r.Groups[0], r.Groups[i+1], answerName(i+1)); err != nil {
			return err
		}
	}
	return nil
}

// answerName names the i-th group of VMs that answered alike, the majority first.
func answerName(i int) string { return fmt.Sprintf("#%d", i+1) }

// batchTable compares how the code ended in each VM. Those of a matrix are gone
// by now, and known by their language.
func batchTable(r handlers.BatchResult, matrix bool) ([]show.Column, [][]show.Cell) {
	columns := []show.Column{
		{Title: "VM", Least: 8}, {Title: "ANSWER"}, {Title: "VERDICT"}, {Title: "EXIT", Right: true},
		{Title: "TIME", Right: true, Drop: 1}, {Title: "FIRST LINE", Least: 12},
	}
	if matrix {
		columns[0].Title = "LANGUAGE"
	}
	answers := answerCells(r.Groups)
	var rows [][]show.Cell
	for _, item := range r.Results {
		e := item.Execution
		row := show.Cells(e.VMName, "", e.Verdict, exitText(e), show.Seconds(e.ExecutionTime), firstLine(e))
		if matrix {
			row[0].Text = e.Language
		}
		row[0].Colour, row[1], row[2].Colour = show.Bold, answers[e.VMID], verdictColour(e)
		if item.Failure != nil {
			row[1], row[2], row[3], row[4] = show.Cell{}, show.Cell{Text: "not run", Colour: show.Red}, show.Cell{}, show.Cell{}
		}
		rows = append(rows, row)
	}
	return columns, rows
}

// answerCells say of each VM which answer it gave, and whether it is that of most.
func answerCells(groups []handlers.BatchGroup) map[int64]show.Cell {
	cells := map[int64]show.Cell{}
	for i, g := range groups {
		cell := show.Cell{Text: answerName(i), Colour: show.Yellow}
		if g.Majority {
			cell.Colour = show.Green
		}
		for _, vm := range g.VMIDs {
			cells[vm] = cell
		}
	}
	return cells
}

// firstLine is the most telling line of an execution's output.
func firstLine(e handlers.Execution) string {
	if line := show.Line(e.Output); line != "" {
		return line
	}
	return show.Line(e.Error)
}

// outlier shows how an answer differs from the majority's.
func (t *terminal) outlier(majority, outlier handlers.BatchGroup, name string) error {
	p := t.palette(t.stdout)
	title := fmt.Sprintf("%s differs from %s", name, answerName(0))
	if outlier.ExitCode != majority.ExitCode {
		title += fmt.Sprintf(" by exit code %d instead of %d", outlier.ExitCode, majority.ExitCode)
	}
	if outlier.Diff == "" {
		title += "; the output is the same"
	}
	if _, err := fmt.Fprintf(t.stdout, "\n%s\n", p.Paint(show.Bold, title)); err != nil {
		return err
	}
	_, err := io.WriteString(t.stdout, show.Diff(p, outlier.Diff, shownDiff))
	return err
}

// batchOutcome is the exit code that a batch gives vm.
func batchOutcome(r handlers.BatchResult) error {
	notRun, failed := 0, 0
	for _, item := range r.Results {
		switch {
		case item.Failure != nil:
			notRun++
		case exitOf(item.Execution) != 0:
			failed++
		}
	}
	switch {
	case notRun > 0 && notRun == len(r.Results):
		return exitAs(exitNotRun)
	case notRun+failed > 0:
		return exitAs(exitFailed)
	}
	return nil
}
