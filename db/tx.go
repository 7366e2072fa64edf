package db

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/uptrace/bun"
)

// errClosed: the store was closed by this process.
var errClosed = errors.New("the store is closed")

// query runs a read. It may run twice.
func (s *store) query(ctx context.Context, what string, read func(db bun.IDB) error) error {
	return s.attempt(ctx, what, func() (begun bool, err error) {
		return false, read(s.reader)
	})
}

// change runs a transaction that writes, and sends the notice of it; a zero
// Change sends none. It runs again when nothing of it can have happened.
func (s *store) change(ctx context.Context, what string, write func(tx bun.Tx) (Change, error)) error {
	return s.attempt(ctx, what, func() (begun bool, err error) {
		tx, err := s.writer.BeginTx(ctx, nil)
		if err != nil {
			return false, err
		}
		defer func() { _ = tx.Rollback() }() // does nothing after Commit
		notice, err := write(tx)
		if err != nil {
			return true, err
		}
		if notice != (Change{}) {
			if err := s.engine.notify(ctx, tx, notice); err != nil {
				return true, err
			}
		}
		if err := tx.Commit(); err != nil {
			return true, err
		}
		s.engine.committed()
		return true, nil
	})
}

// attempt repeats once while that is safe and makes sense, and folds its error.
// begun tells that a transaction was begun before the error: with its
// connection lost, nobody knows whether it was committed.
func (s *store) attempt(ctx context.Context, what string, once func() (begun bool, err error)) error {
	if s.closed.Load() {
		return &failure{what: what, kind: ErrGone, reason: errClosed.Error(), cause: errClosed}
	}
	giveUp := time.Now().Add(s.patience)
	for try := 0; ; try++ {
		begun, err := once()
		if err == nil {
			return nil
		}
		again := false
		switch s.engine.classify(err) {
		case busy, raced:
			again = time.Now().Before(giveUp)
		case lost:
			// The server has gone, perhaps long ago: so are the idle ones.
			s.dropIdle()
			again = try == 0 && !begun
		}
		if !again || !pause(ctx, try) {
			return s.fold(ctx, what, err)
		}
	}
}

// pause waits a little longer with each try, 50 ms at the most, at random so
// that competitors spread. It reports false when ctx has ended.
func pause(ctx context.Context, try int) bool {
	longest := time.Millisecond << min(try, 5)
	timer := time.NewTimer(min(rand.N(longest)+time.Millisecond, 50*time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
