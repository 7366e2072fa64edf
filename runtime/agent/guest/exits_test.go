package guest

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/itechsmart/vm/runtime/agent/internal/wire"
)

// Without a client a connection fails, after a while and with the reason.
func TestNoExit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := newExits().connect(t.Context(), wire.Target{Host: "example.com", Port: 443})
		if err == nil || err.status != 502 || !strings.Contains(err.reason, "no process") {
			t.Errorf("got %+v", err)
		}
		if waited := time.Since(began); waited != exitPatience {
			t.Errorf("it waited %s", waited)
		}
	})
}
