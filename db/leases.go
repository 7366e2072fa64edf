package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// lease is a named right that one owner has at a time, until it expires.
type lease struct {
	bun.BaseModel `bun:"table:leases,alias:l"`

	Name  string `bun:",pk"`
	Owner string
	Until time.Time
}

func (s *store) TakeLease(ctx context.Context, name, owner string, ttl time.Duration) (held bool, err error) {
	err = s.change(ctx, "take lease", func(tx bun.Tx) (Change, error) {
		now, err := s.engine.now(ctx, tx)
		if err != nil {
			return Change{}, err
		}
		held, err = affected(tx.NewInsert().
			Model(&lease{Name: name, Owner: owner, Until: now.Add(ttl)}).
			On("CONFLICT (name) DO UPDATE").
			Set("owner = excluded.owner").Set("until = excluded.until").
			Where("l.owner = excluded.owner OR l.until <= ?", now).
			Exec(ctx))
		return Change{}, err
	})
	return held && err == nil, err
}

func (s *store) ReleaseLease(ctx context.Context, name, owner string) error {
	return s.change(ctx, "release lease", func(tx bun.Tx) (Change, error) {
		_, err := tx.NewDelete().Model((*lease)(nil)).Where("name = ?", name).Where("owner = ?", owner).Exec(ctx)
		return Change{}, err
	})
}
