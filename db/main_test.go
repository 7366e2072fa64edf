package db_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain also runs the other processes of tests that need several.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		os.Exit(playRole(role))
	}
	goleak.VerifyTestMain(m)
}
