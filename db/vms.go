package db

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

func (s *store) ReserveVM(ctx context.Context, vm *VirtualMachine, quota Quota) error {
	setNow(&vm.CreatedAt)
	setNow(&vm.LastUsedAt)
	return s.change(ctx, "reserve VM", func(tx bun.Tx) (Change, error) {
		if vm.Build == "" {
			if err := s.checkQuota(ctx, tx, vm.UserID, quota); err != nil {
				return Change{}, err
			}
		}
		user := User{ID: vm.UserID}
		if err := tx.NewSelect().Model(&user).WherePK().Scan(ctx); err != nil {
			return Change{}, err
		}
		vm.ID, vm.Version, vm.UserName = 0, 1, user.Name
		_, err := tx.NewInsert().Model(vm).Exec(ctx)
		return Change{TableVirtualMachines, vm.ID, Created}, err
	})
}

// checkQuota counts the VMs while all other reservations wait: they all lock the
// same row first, so that nobody's count is out of date when he inserts.
func (s *store) checkQuota(ctx context.Context, tx bun.Tx, userID int64, quota Quota) error {
	var instance string
	if err := s.engine.lock(tx.NewSelect().Table("instance").Column("id"), "instance").Scan(ctx, &instance); err != nil {
		return err
	}
	var own, total int
	err := tx.NewSelect().Model((*VirtualMachine)(nil)).Where("build = ''").
		ColumnExpr("count(*) FILTER (WHERE user_id = ?)", userID).ColumnExpr("count(*)").
		Scan(ctx, &own, &total)
	switch {
	case err != nil:
		return err
	case own >= quota.PerUser:
		return &QuotaError{Scope: "user", Limit: quota.PerUser}
	case total >= quota.Total:
		return &QuotaError{Scope: "total", Limit: quota.Total}
	}
	return nil
}

func (s *store) VM(ctx context.Context, id int64) (vm VirtualMachine, err error) {
	err = s.query(ctx, "find VM", func(db bun.IDB) error {
		return selectVMs(db, &vm).Where("vm.id = ?", id).Scan(ctx)
	})
	return vm, err
}

func (s *store) VMByName(ctx context.Context, userID int64, name string) (vm VirtualMachine, err error) {
	err = s.query(ctx, "find VM", func(db bun.IDB) error {
		return selectVMs(db, &vm).Where("vm.user_id = ?", userID).Where("vm.name = ?", name).Scan(ctx)
	})
	return vm, err
}

func (s *store) VMs(ctx context.Context, filter VMFilter) (vms []VirtualMachine, err error) {
	err = s.query(ctx, "list VMs", func(db bun.IDB) error {
		q := selectVMs(db, &vms).Order("vm.id")
		if filter.UserID != 0 {
			q = q.Where("vm.user_id = ?", filter.UserID)
		}
		if len(filter.Status) > 0 {
			q = q.Where("vm.status IN (?)", bun.List(filter.Status))
		}
		if filter.Builds != nil {
			q = q.Where("(vm.build <> '') = ?", *filter.Builds)
		}
		if filter.Scratch != nil {
			q = q.Where("vm.scratch = ?", *filter.Scratch)
		}
		return q.Scan(ctx)
	})
	return slices.DeleteFunc(vms, func(vm VirtualMachine) bool { return !filter.matches(vm) }), err
}

// matches decides what SQL would have to take apart columns for.
func (f VMFilter) matches(vm VirtualMachine) bool {
	language, _, _ := strings.Cut(vm.Language, "@")
	if f.Language != "" && f.Language != vm.Language && f.Language != language {
		return false
	}
	if f.Label == "" {
		return true
	}
	key, want, exact := strings.Cut(f.Label, "=")
	value, ok := vm.Labels[key]
	return ok && (!exact || value == want)
}

func selectVMs(db bun.IDB, into any) *bun.SelectQuery {
	return db.NewSelect().Model(into).
		ColumnExpr("vm.*").ColumnExpr("u.name AS user_name").
		Join("JOIN users AS u ON u.id = vm.user_id")
}

func (s *store) UpdateVM(
	ctx context.Context, id int64, from []Status, change func(*VirtualMachine) error,
) (VirtualMachine, error) {
	var (
		vm      VirtualMachine
		refused error // what change returned
	)
	err := s.change(ctx, "update VM", func(tx bun.Tx) (Change, error) {
		vm, refused = VirtualMachine{}, nil
		if err := s.engine.lock(selectVMs(tx, &vm), "vm").Where("vm.id = ?", id).Scan(ctx); err != nil {
			return Change{}, err
		}
		if len(from) > 0 && !slices.Contains(from, vm.Status) {
			return Change{}, ErrConflict
		}
		before := vm
		if refused = change(&vm); refused != nil {
			vm = before
			return Change{}, refused
		}
		vm.ID, vm.UserID, vm.UserName = before.ID, before.UserID, before.UserName
		vm.CreatedAt, vm.Version = before.CreatedAt, before.Version+1
		_, err := tx.NewUpdate().Model(&vm).WherePK().Exec(ctx)
		return Change{TableVirtualMachines, id, Updated}, err
	})
	if refused != nil {
		return vm, refused
	}
	return vm, err
}

func (s *store) TouchVM(ctx context.Context, id int64, at time.Time) error {
	return s.change(ctx, "touch VM", func(tx bun.Tx) (Change, error) {
		touched, err := touch(ctx, tx, id, at)
		if err == nil && !touched {
			err = ErrNotFound
		}
		return Change{}, err
	})
}

// touch sets last_used_at, of a VM with one of these statuses; none means any.
func touch(ctx context.Context, tx bun.Tx, id int64, at time.Time, status ...Status) (touched bool, err error) {
	q := tx.NewUpdate().Model((*VirtualMachine)(nil)).Set("last_used_at = ?", at).Where("id = ?", id)
	if len(status) > 0 {
		q = q.Where("status IN (?)", bun.List(status))
	}
	return affected(q.Exec(ctx))
}

func (s *store) DeleteVM(ctx context.Context, id int64) error {
	return s.change(ctx, "delete VM", func(tx bun.Tx) (Change, error) {
		deleted, err := affected(tx.NewDelete().Model((*VirtualMachine)(nil)).Where("id = ?", id).Exec(ctx))
		if err == nil && !deleted {
			err = ErrNotFound
		}
		return Change{TableVirtualMachines, id, Deleted}, err
	})
}

func (s *store) CountVMs(ctx context.Context, userID int64) (map[Status]int, error) {
	var rows []struct {
		Status Status
		Count  int
	}
	err := s.query(ctx, "count VMs", func(db bun.IDB) error {
		q := db.NewSelect().Model((*VirtualMachine)(nil)).
			Column("status").ColumnExpr("count(*) AS count").Where("build = ''").Group("status")
		if userID != 0 {
			q = q.Where("user_id = ?", userID)
		}
		return q.Scan(ctx, &rows)
	})
	counts := make(map[Status]int, len(rows))
	for _, row := range rows {
		counts[row.Status] = row.Count
	}
	return counts, err
}
