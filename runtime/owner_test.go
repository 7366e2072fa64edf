package runtime

import (
	"os/exec"
	"strings"
	"testing"
)

func TestOwnerSurvivesItsText(t *testing.T) {
	if got := ParseOwner(Self().String()); got != Self() {
		t.Errorf("ParseOwner(%q) = %+v, want %+v", Self(), got, Self())
	}
}

func TestOwnerGone(t *testing.T) {
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	dead, reused, elsewhere, rebooted := Self(), Self(), Self(), Self()
	dead.PID = ended.Process.Pid
	reused.PID, reused.Start = 1, "0-not-a-time"
	elsewhere.Host = "another@boot"
	rebooted.Host, _, _ = strings.Cut(rebooted.Host, "@")
	rebooted.Host += "@another-boot"
	for name, c := range map[string]struct {
		owner Owner
		gone  bool
	}{
		"this process":     {Self(), false},
		"nobody":           {Owner{}, true},
		"unreadable":       {ParseOwner("nonsense"), true},
		"an ended process": {dead, true},
		"a reused pid":     {reused, true},
		"another host":     {elsewhere, false},
		"before a reboot":  {rebooted, true},
	} {
		if got := c.owner.Gone(); got != c.gone {
			t.Errorf("%s: Gone() = %v, want %v", name, got, c.gone)
		}
	}
}
