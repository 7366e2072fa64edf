package db_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/db/dbtest"
)

// Environment of the test's other processes: what to do, and where.
const (
	roleEnv     = "DB_TEST_ROLE"
	databaseEnv = "DB_TEST_DATABASE"
	numberEnv   = "DB_TEST_NUMBER"
)

// roles print lines for the parent. awaitStart returns when all are ready.
var roles = map[string]func(database, number string, awaitStart func()) error{
	"open":    playOpen,
	"reserve": playReserve,
	"update":  playUpdate,
	"churn":   playChurn,
}

func playRole(role string) int {
	awaitStart := func() {
		fmt.Println("ready")
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	}
	if err := roles[role](os.Getenv(databaseEnv), os.Getenv(numberEnv), awaitStart); err != nil {
		fmt.Println("failed:", err)
		return 1
	}
	return 0
}

// process is one of the test's other processes.
type process struct {
	cmd   *exec.Cmd
	start io.WriteCloser
	lines *bufio.Scanner
}

// spawn starts so many processes of a role, and lets them begin together.
func spawn(t *testing.T, role, database string, count int) []*process {
	t.Helper()
	processes := make([]*process, count)
	for i := range processes {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), roleEnv+"="+role, databaseEnv+"="+database, numberEnv+"="+strconv.Itoa(i))
		cmd.Stderr = os.Stderr
		start, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		output, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		processes[i] = &process{cmd, start, bufio.NewScanner(output)}
	}
	for _, p := range processes {
		if line := p.line(); line != "ready" {
			t.Fatalf("a process says %q", line)
		}
	}
	for _, p := range processes {
		_ = p.start.Close()
	}
	return processes
}

// line returns the next line that the process prints, "" when there is none.
func (p *process) line() string {
	p.lines.Scan()
	return p.lines.Text()
}

// results waits for processes that print one line each.
func results(t *testing.T, processes []*process) []string {
	t.Helper()
	lines := make([]string, len(processes))
	for i, p := range processes {
		lines[i] = p.line()
		if err := p.cmd.Wait(); err != nil {
			t.Errorf("process %d: %v: %s", i, err, lines[i])
		}
	}
	return lines
}

func playOpen(database, _ string, awaitStart func()) error {
	awaitStart()
	s, err := db.Open(context.Background(), database)
	if err != nil {
		return err
	}
	fmt.Println(s.Instance())
	return s.Close()
}

func testProcessesOpen(t *testing.T, url string) {
	instances := results(t, spawn(t, "open", url, 20))
	if unique := slices.Compact(slices.Sorted(slices.Values(instances))); len(unique) != 1 {
		t.Errorf("20 processes see the instances %q", unique)
	}
	var made int
	if err := dbtest.SQL(t, url).QueryRow("SELECT count(*) FROM instance").Scan(&made); err != nil || made != 1 {
		t.Errorf("%d instances were made, %v", made, err)
	}
}

func playReserve(database, number string, awaitStart func()) error {
	ctx := context.Background()
	s, err := db.Open(ctx, database)
	if err != nil {
		return err
	}
	defer s.Close()
	user, err := s.EnsureUser(ctx, "ada") // all make her
	if err != nil {
		return err
	}
	awaitStart()
	vm := db.VirtualMachine{UserID: user.ID, Name: number, Status: db.Creating}
	err = s.ReserveVM(ctx, &vm, db.Quota{PerUser: 10, Total: 100})
	var quota *db.QuotaError
	switch {
	case err == nil:
		fmt.Println("reserved")
	case errors.As(err, &quota):
		fmt.Println("refused")
	default:
		return err
	}
	return nil
}

func testProcessesReserve(t *testing.T, url string) {
	s := open(t, url)
	tally := map[string]int{}
	for _, line := range results(t, spawn(t, "reserve", url, 20)) {
		tally[line]++
	}
	if tally["reserved"] != 10 || tally["refused"] != 10 {
		t.Errorf("20 processes with a quota of 10: %v", tally)
	}
	if vms, err := s.VMs(t.Context(), db.VMFilter{}); err != nil || len(vms) != 10 {
		t.Errorf("%d VMs, %v", len(vms), err)
	}
}

// rounds of each process in testProcessesUpdate.
const rounds = 50

func playUpdate(database, _ string, awaitStart func()) error {
	ctx := context.Background()
	s, err := db.Open(ctx, database)
	if err != nil {
		return err
	}
	defer s.Close()
	vms, err := s.VMs(ctx, db.VMFilter{})
	if err != nil {
		return err
	}
	awaitStart()
	adopted := 0
	for range rounds {
		for _, vm := range vms {
			if _, err := s.UpdateVM(ctx, vm.ID, []db.Status{db.Running}, countUp); err != nil {
				return err
			}
		}
		e := db.Execution{VMID: vms[0].ID}
		if err := s.BeginExecution(ctx, &e); err != nil {
			return err
		}
		// Of all who want to finish what runs, one may, each time.
		running, err := s.RunningExecutions(ctx, 0)
		if err != nil {
			return err
		}
		for _, e := range running {
			e.Verdict = "lost"
			switch err := s.FinishExecution(ctx, &e); {
			case err == nil:
				adopted++
			case !errors.Is(err, db.ErrConflict):
				return err
			}
		}
	}
	fmt.Println(adopted)
	return nil
}

func countUp(vm *db.VirtualMachine) error {
	vm.MemoryLimit++
	return nil
}

func testProcessesUpdate(t *testing.T, url string) {
	s := open(t, url)
	vms := []db.VirtualMachine{reserve(t, s, "a"), reserve(t, s, "b")}
	const processes = 3
	finished := 0
	for _, line := range results(t, spawn(t, "update", url, processes)) {
		count, err := strconv.Atoi(line)
		if err != nil {
			t.Error(err)
		}
		finished += count
	}
	if finished != processes*rounds {
		t.Errorf("%d executions were finished %d times", processes*rounds, finished)
	}
	for _, vm := range vms {
		got := getVM(t, s, vm.ID)
		if got.MemoryLimit != processes*rounds || got.Version != 1+processes*rounds {
			t.Errorf("after %d updates VM %s counts %d, version %d", processes*rounds, vm.Name, got.MemoryLimit, got.Version)
		}
	}
}

// playChurn writes for ever, and tells of each write that was acknowledged.
func playChurn(database, _ string, awaitStart func()) error {
	ctx := context.Background()
	s, err := db.Open(ctx, database)
	if err != nil {
		return err
	}
	vms, err := s.VMs(ctx, db.VMFilter{})
	if err != nil {
		return err
	}
	awaitStart()
	for {
		vm, err := s.UpdateVM(ctx, vms[0].ID, nil, func(vm *db.VirtualMachine) error {
			vm.DiskLimit++
			return countUp(vm)
		})
		if err != nil {
			return err
		}
		fmt.Println(vm.MemoryLimit)
	}
}

func testProcessKilled(t *testing.T, url string) {
	s := open(t, url)
	vm := reserve(t, s, "a")
	changes := s.Watch(t.Context())
	last := 0
	for range 3 {
		p := spawn(t, "churn", url, 1)[0]
		for range 20 {
			next(t, changes)
			p.line()
		}
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for line := p.lines.Text(); line != ""; line = p.line() {
			if count, err := strconv.Atoi(line); err == nil {
				last = count
			}
		}
		_ = p.cmd.Wait() // says that it was killed
		if _, err := s.UpdateVM(t.Context(), vm.ID, nil, func(*db.VirtualMachine) error { return nil }); err != nil {
			t.Fatal(err)
		}
		got := getVM(t, open(t, url), vm.ID)
		if got.MemoryLimit < last || got.MemoryLimit > last+1 || got.MemoryLimit != got.DiskLimit {
			t.Errorf("%d writes were acknowledged, the row says %d and %d", last, got.MemoryLimit, got.DiskLimit)
		}
	}
}
