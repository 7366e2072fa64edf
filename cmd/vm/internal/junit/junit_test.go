package junit_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/itechsmart/vm/cmd/vm/internal/junit"
)

func TestWrite(t *testing.T) {
	began := time.Date(2026, 1, 2, 4, 4, 5, 6, time.FixedZone("", 3600))
	var out bytes.Buffer
	err := junit.Write(&out, junit.Suite{
		Name: "check.py", Package: "vm.batch", Host: "here", Began: began, Output: "a <b> & \x00\n",
		Cases: []junit.Case{
			{Name: "one", Class: "python", Seconds: 1e-5},
			{Name: "two", Class: "python", Seconds: 1234567, Outcome: junit.Failed, Type: "exit", Message: `exit "3"`, Text: "why\n"},
			{Name: "three", Class: "python", Outcome: junit.Errored, Type: "timeout", Message: "too long"},
			{Name: "four", Class: "python", Outcome: junit.Skipped, Type: "x", Message: "not run", Text: "x"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/report.xml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
