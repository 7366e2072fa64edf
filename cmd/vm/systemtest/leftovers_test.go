package systemtest

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
)

// instance identifies the rig's database.
func (r *rig) instance(ctx context.Context, t *testing.T) string {
	t.Helper()
	store, err := db.Open(ctx, r.database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	return store.Instance()
}

// database is what the rig's configuration names, or its state folder's file.
func (r *rig) database(t *testing.T) string {
	t.Helper()
	settings, err := os.ReadFile(r.config)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(settings)) {
		if url, ok := strings.CutPrefix(line, "database: "); ok {
			return strings.Trim(url, "\"\n")
		}
	}
	return filepath.Join(r.state, "itechsmart", "vm.db")
}

// leftovers lists what the rig's VMs left outside the database: machines, images,
// folders, mounts, loop devices, control groups, processes.
func (r *rig) leftovers(ctx context.Context, t *testing.T) []string {
	t.Helper()
	machine := strings.TrimSuffix(runtime.Ref{Instance: r.instance(ctx, t)}.String(), "0")
	if r.runtime == "docker" {
		return append(containers(ctx, t, machine), r.snapshotImages(ctx, t)...)
	}
	var found []string
	found = append(found, lines(t, "/proc/self/mountinfo", r.state)...)
	for _, pattern := range []string{
		filepath.Join(r.state, "itechsmart", "native", machine+"*"),
		"/sys/fs/cgroup/*/itechsmart/" + machine + "*", "/sys/fs/cgroup/itechsmart/" + machine + "*",
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, paths...)
	}
	backing, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range backing {
		found = append(found, lines(t, file, r.state)...)
	}
	return found
}

// lines returns a file's lines that contain text; a file that has gone has none.
func lines(t *testing.T, file, text string) []string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) && !isNoDevice(err) {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(content)) {
		if strings.Contains(line, text) {
			found = append(found, file+": "+strings.TrimSpace(line))
		}
	}
	return found
}

// isNoDevice: the loop device was detached between listing and reading.
func isNoDevice(err error) bool {
	pathError, ok := err.(*fs.PathError)
	return ok && strings.Contains(pathError.Err.Error(), "no such device")
}

func containers(ctx context.Context, t *testing.T, prefix string) []string {
	t.Helper()
	list := exec.CommandContext(ctx, "docker", "-H", os.Getenv("ITECHSMART_TEST_DOCKER_HOST"), "ps", "-a",
		"--filter", "name=^"+prefix, "--format", "container {{.Names}} {{.Status}}")
	out, err := list.CombinedOutput()
	if err != nil {
		t.Fatalf("docker ps: %v\n%s", err, out)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}
