package db

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/uptrace/bun"
)

func (s *store) AddSnapshot(ctx context.Context, row *Snapshot) error {
	setNow(&row.CreatedAt)
	name := row.Name
	return s.change(ctx, "add snapshot", func(tx bun.Tx) (Change, error) {
		var vm VirtualMachine
		if err := s.engine.lock(selectVMs(tx, &vm), "vm").Where("vm.id = ?", row.VMID).Scan(ctx); err != nil {
			return Change{}, err
		}
		row.ID, row.Parent, row.Name = 0, vm.Snapshot, name
		if name == "" {
			row.Name = rand.Text() // nobody else's, until there is an id
		}
		if _, err := tx.NewInsert().Model(row).Exec(ctx); err != nil {
			return Change{}, err
		}
		if name == "" {
			row.Name = fmt.Sprintf("%s-%d", row.Kind, row.ID)
			if _, err := tx.NewUpdate().Model(row).Column("name").WherePK().Exec(ctx); err != nil {
				return Change{}, err
			}
		}
		_, err := tx.NewUpdate().Model((*VirtualMachine)(nil)).Set("snapshot = ?", row.ID).Where("id = ?", row.VMID).Exec(ctx)
		return Change{TableSnapshots, row.ID, Created}, err
	})
}

func (s *store) Snapshot(ctx context.Context, id int64) (row Snapshot, err error) {
	err = s.query(ctx, "find snapshot", func(db bun.IDB) error {
		return db.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx)
	})
	return row, err
}

func (s *store) Snapshots(ctx context.Context, userID, vmID int64) (rows []Snapshot, err error) {
	err = s.query(ctx, "list snapshots", func(db bun.IDB) error {
		q := db.NewSelect().Model(&rows).Order("id")
		if userID != 0 {
			q = q.Where("vm_id IN (SELECT id FROM virtual_machines WHERE user_id = ?)", userID)
		}
		return whereSet(q, "vm_id = ?", vmID).Scan(ctx)
	})
	return rows, err
}

func (s *store) DeleteSnapshot(ctx context.Context, id int64) error {
	return s.change(ctx, "delete snapshot", func(tx bun.Tx) (Change, error) {
		var row Snapshot
		if err := s.engine.lock(tx.NewSelect().Model(&row), "s").Where("id = ?", id).Scan(ctx); err != nil {
			return Change{}, err
		}
		if _, err := tx.NewDelete().Model(&row).WherePK().Exec(ctx); err != nil {
			return Change{}, err
		}
		_, err := tx.NewUpdate().Model((*Snapshot)(nil)).Set("parent = ?", row.Parent).Where("parent = ?", id).Exec(ctx)
		if err != nil {
			return Change{}, err
		}
		_, err = tx.NewUpdate().Model((*VirtualMachine)(nil)).Set("snapshot = ?", row.Parent).Where("snapshot = ?", id).Exec(ctx)
		return Change{TableSnapshots, id, Deleted}, err
	})
}

func (s *store) MarkUndone(ctx context.Context, vmID, execution int64) error {
	return s.change(ctx, "mark executions undone", func(tx bun.Tx) (Change, error) {
		_, err := tx.NewUpdate().Model((*Execution)(nil)).Set("undone = ?", true).
			Where("vm_id = ?", vmID).Where("id >= ?", execution).Exec(ctx)
		return Change{}, err
	})
}
