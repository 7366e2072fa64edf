package db

import (
	"context"

	"github.com/uptrace/bun"
)

func (s *store) AddTemplate(ctx context.Context, t *Template) error {
	setNow(&t.CreatedAt)
	return s.change(ctx, "add template", func(tx bun.Tx) (Change, error) {
		t.ID = 0
		_, err := tx.NewInsert().Model(t).Exec(ctx)
		return Change{}, err
	})
}

func (s *store) Template(ctx context.Context, userID int64, name string) (t Template, err error) {
	err = s.query(ctx, "find template", func(db bun.IDB) error {
		return db.NewSelect().Model(&t).Where("user_id = ?", userID).Where("name = ?", name).Scan(ctx)
	})
	return t, err
}

func (s *store) Templates(ctx context.Context, userID int64) (templates []Template, err error) {
	err = s.query(ctx, "list templates", func(db bun.IDB) error {
		return db.NewSelect().Model(&templates).Where("user_id = ?", userID).Order("id").Scan(ctx)
	})
	return templates, err
}

func (s *store) DeleteTemplate(ctx context.Context, userID int64, name string) error {
	return s.change(ctx, "delete template", func(tx bun.Tx) (Change, error) {
		deleted, err := affected(tx.NewDelete().Model((*Template)(nil)).
			Where("user_id = ?", userID).Where("name = ?", name).Exec(ctx))
		if err == nil && !deleted {
			err = ErrNotFound
		}
		return Change{}, err
	})
}

func (s *store) SaveSetup(ctx context.Context, setup *Setup) error {
	return s.change(ctx, "save set-up", func(tx bun.Tx) (Change, error) {
		_, err := tx.NewInsert().Model(setup).Exec(ctx)
		return Change{}, err
	})
}

func (s *store) Setup(ctx context.Context, vmID int64) (setup Setup, err error) {
	err = s.query(ctx, "find set-up", func(db bun.IDB) error {
		return db.NewSelect().Model(&setup).Where("vm_id = ?", vmID).Scan(ctx)
	})
	return setup, err
}
