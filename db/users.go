package db

import (
	"context"
	"database/sql"
	"errors"

	"github.com/uptrace/bun"
)

func (s *store) EnsureUser(ctx context.Context, name string) (User, error) {
	const what = "find user"
	user, err := s.userNamed(ctx, what, name)
	if !errors.Is(err, ErrNotFound) {
		return user, err
	}
	err = s.change(ctx, what, func(tx bun.Tx) (Change, error) {
		user = User{Name: name}
		setNow(&user.CreatedAt)
		err := tx.NewInsert().Model(&user).On("CONFLICT (name) DO NOTHING").Returning("id").Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) { // another process was faster
			return Change{}, nil
		}
		return Change{TableUsers, user.ID, Created}, err
	})
	if err != nil || user.ID != 0 {
		return user, err
	}
	return s.userNamed(ctx, what, name)
}

func (s *store) userNamed(ctx context.Context, what, name string) (user User, err error) {
	err = s.query(ctx, what, func(db bun.IDB) error {
		return db.NewSelect().Model(&user).Where("name = ?", name).Scan(ctx)
	})
	return user, err
}
