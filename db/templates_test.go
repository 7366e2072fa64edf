package db_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/db"
	"github.com/itechsmart/vm/runtime"
)

func testTemplates(t *testing.T, url string) {
	s := open(t, url)
	ada, eve := ensureUser(t, s, "ada"), ensureUser(t, s, "eve")
	before := time.Now()
	full := db.Template{
		UserID: ada.ID, Name: "web", Description: "for the web", Language: "python@3.12", Image: "example/web:1",
		Packages: []string{"flask"}, Files: []db.TemplateFile{{Path: "a/b", Data: []byte{0, 255}, Mode: 0o755}}, Setup: "pip install .\n", SetupUser: "root",
		Env: map[string]string{"A": "b"}, Labels: map[string]string{"team": "web"},
		Network: runtime.Network{Mode: runtime.NetworkAllowlist, Allow: []string{"example.org"}},
		Limits:  runtime.Limits{CPU: 0.5, MemoryMiB: 64, DiskMiB: 65, Pids: 66},
	}
	bare := db.Template{UserID: ada.ID, Name: "bare"}
	for _, template := range []*db.Template{&full, &bare, {UserID: eve.ID, Name: "web"}} {
		if err := s.AddTemplate(t.Context(), template); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, s.AddTemplate(t.Context(), &db.Template{UserID: ada.ID, Name: "web"}), db.ErrExists)
	isTime(t, full.CreatedAt, before, time.Now())

	got, err := s.Template(t.Context(), ada.ID, "web")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	list, err := s.Templates(t.Context(), ada.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]db.Template{full, bare}, list); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	if err := s.DeleteTemplate(t.Context(), ada.ID, "web"); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.DeleteTemplate(t.Context(), ada.ID, "web"), db.ErrNotFound)
	_, err = s.Template(t.Context(), ada.ID, "web")
	wantError(t, err, db.ErrNotFound)
	if _, err := s.Template(t.Context(), eve.ID, "web"); err != nil {
		t.Errorf("another user's template of that name is gone too: %v", err)
	}
}

func testSetup(t *testing.T, url string) {
	s := open(t, url)
	vm := reserve(t, s, "a")
	_, err := s.Setup(t.Context(), vm.ID)
	wantError(t, err, db.ErrNotFound)
	setup := db.Setup{VMID: vm.ID, Output: everyByte(), Began: time.Now()}
	if err := s.SaveSetup(t.Context(), &setup); err != nil {
		t.Fatal(err)
	}
	got, err := s.Setup(t.Context(), vm.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(setup, got, equalBytes); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if err := s.DeleteVM(t.Context(), vm.ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.Setup(t.Context(), vm.ID)
	wantError(t, err, db.ErrNotFound)
}
