package db

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"
)

// running is the verdict of an execution that has not ended, as the agent and
// the wire name it.
const running = "running"

var errNoVerdict = errors.New("an execution ends with a verdict other than running")

func (s *store) BeginExecution(ctx context.Context, e *Execution) error {
	setNow(&e.ExecutedAt)
	return s.change(ctx, "begin execution", func(tx bun.Tx) (Change, error) {
		touched, err := touch(ctx, tx, e.VMID, e.ExecutedAt, Running)
		if err == nil && !touched {
			err = missingOrConflict(ctx, tx.NewSelect().Model((*VirtualMachine)(nil)).Where("id = ?", e.VMID))
		}
		if err != nil {
			return Change{}, err
		}
		e.ID, e.Verdict = 0, running
		_, err = tx.NewInsert().Model(e).Exec(ctx)
		return Change{TableExecutions, e.ID, Created}, err
	})
}

func (s *store) FinishExecution(ctx context.Context, e *Execution) error {
	if e.Verdict == "" || e.Verdict == running {
		return errNoVerdict
	}
	if e.EndedAt.IsZero() {
		e.EndedAt = time.Now()
	}
	return s.changeRunning(ctx, "finish execution", e.ID, func(q *bun.UpdateQuery) *bun.UpdateQuery {
		return q.Model(e).Column(
			"verdict", "phase", "output", "error", "output_omitted", "error_omitted", "result", "session_note", "artifacts",
			"exit_code", "signal", "execution_time", "cpu_time", "peak_memory_mib", "ended_at")
	})
}

func (s *store) AdoptExecution(ctx context.Context, id int64, old, owner string) error {
	return s.changeRunning(ctx, "adopt execution", id, func(q *bun.UpdateQuery) *bun.UpdateQuery {
		return q.Model((*Execution)(nil)).Set("owner = ?", owner).Where("owner = ?", old)
	})
}

// changeRunning updates an execution that still runs.
func (s *store) changeRunning(
	ctx context.Context, what string, id int64, update func(*bun.UpdateQuery) *bun.UpdateQuery,
) error {
	return s.change(ctx, what, func(tx bun.Tx) (Change, error) {
		q := update(tx.NewUpdate()).Where("id = ?", id).Where("verdict = ?", running)
		updated, err := affected(q.Exec(ctx))
		if err == nil && !updated {
			err = missingOrConflict(ctx, tx.NewSelect().Model((*Execution)(nil)).Where("id = ?", id))
		}
		return Change{TableExecutions, id, Updated}, err
	})
}

func (s *store) Execution(ctx context.Context, id int64) (e Execution, err error) {
	err = s.query(ctx, "find execution", func(db bun.IDB) error {
		return db.NewSelect().Model(&e).Where("id = ?", id).Scan(ctx)
	})
	return e, err
}

func (s *store) Executions(
	ctx context.Context, userID, vmID, before int64, limit int,
) (executions []Execution, err error) {
	err = s.query(ctx, "list executions", func(db bun.IDB) error {
		q := db.NewSelect().Model(&executions).Order("id DESC")
		q = whereSet(q, "user_id = ?", userID)
		q = whereSet(q, "vm_id = ?", vmID)
		q = whereSet(q, "id < ?", before)
		return atMost(q, limit).Scan(ctx)
	})
	return executions, err
}

func (s *store) RunningExecutions(ctx context.Context, vmID int64) (executions []Execution, err error) {
	err = s.query(ctx, "list executions", func(db bun.IDB) error {
		// Written into the query, the constant lets it use the partial index.
		q := db.NewSelect().Model(&executions).Where("verdict = ?", running).Order("id")
		return whereSet(q, "vm_id = ?", vmID).Scan(ctx)
	})
	return executions, err
}

// missingOrConflict tells why an update of a row in a certain state has hit
// nothing: ErrNotFound without the row, else ErrConflict.
func missingOrConflict(ctx context.Context, row *bun.SelectQuery) error {
	there, err := row.Exists(ctx)
	switch {
	case err != nil:
		return err
	case there:
		return ErrConflict
	default:
		return ErrNotFound
	}
}

// affected reports whether a statement hit any row.
func affected(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	rows, err := result.RowsAffected()
	return rows > 0, err
}

// whereSet adds a condition unless its argument is zero.
func whereSet(q *bun.SelectQuery, condition string, id int64) *bun.SelectQuery {
	if id == 0 {
		return q
	}
	return q.Where(condition, id)
}

// atMost limits the rows. bun takes a limit of 0 for none.
func atMost(q *bun.SelectQuery, limit int) *bun.SelectQuery {
	if limit < 1 {
		return q.Where("FALSE")
	}
	return q.Limit(int64(limit))
}
