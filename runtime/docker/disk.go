package docker

import (
	"context"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
)

// takesDiskLimit tells whether the engine limits a container's disk. The
// storage driver alone does not say, so where it might, a container that never
// starts is tried, once per engine; without any image to try with the answer is
// no, for now.
//
// Other drivers than these two are not asked: they refuse, or count otherwise.
func (d *Driver) takesDiskLimit(ctx context.Context, e engine) bool {
	if !(e.storage == "overlay2" && e.backing == "xfs") && e.storage != "btrfs" {
		return false
	}
	d.quotaMu.Lock()
	defer d.quotaMu.Unlock()
	if taken, known := d.quotas[e.id]; known {
		return taken
	}
	images, err := d.cli.ImageList(ctx, image.ListOptions{})
	if err != nil || len(images) == 0 {
		return false
	}
	taken, known := d.tryDiskLimit(ctx, images[0].ID)
	if known {
		d.quotas[e.id] = taken
	}
	return taken
}

func (d *Driver) tryDiskLimit(ctx context.Context, imageID string) (taken, known bool) {
	trial, err := d.createHelper(ctx, imageID, nil, &container.HostConfig{
		NetworkMode: "none", StorageOpt: map[string]string{"size": "64G"},
	})
	if err != nil {
		return false, strings.Contains(err.Error(), "storage-opt") || strings.Contains(err.Error(), "quota")
	}
	d.discard(ctx, trial)
	return true, true
}

// diskLimitBytes is the size to ask for so that a machine may write limit bytes
// over its image: btrfs counts the image in, overlay2 does not.
func (e engine) diskLimitBytes(limit, imageSize int64) int64 {
	if e.storage == "btrfs" {
		return limit + imageSize
	}
	return limit
}
