package db_test

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain also runs the other processes of tests that need several.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		os.Exit(playRole(role))
	}
	time.Local = time.FixedZone("test", 5*60*60) // what is read must not depend on it
	goleak.VerifyTestMain(m)
}
