package docker

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/itechsmart/vm/runtime"
)

// Labels of everything that the driver makes on an engine.
const (
	labelVM          = "itechsmart.vm" // the row's id
	labelInstance    = "itechsmart.instance"
	labelOwner       = "itechsmart.owner" // runtime.Owner.String of the maker
	labelName        = "itechsmart.name"
	labelUser        = "itechsmart.user"
	labelLanguage    = "itechsmart.language"
	labelCreated     = "itechsmart.created"     // RFC 3339, UTC
	labelEnforcement = "itechsmart.enforcement" // see encodeEnforcement
	labelNetwork     = "itechsmart.network"     // the runtime.NetworkMode
	labelAgent       = "itechsmart.agent"       // on a volume: its name
	labelOwn         = "itechsmart.label."      // prefix of the user's own labels
)

func machineLabels(spec runtime.Spec, held runtime.Enforcement, now time.Time) map[string]string {
	labels := map[string]string{
		labelVM:          strconv.FormatInt(spec.VM, 10),
		labelInstance:    spec.Instance,
		labelOwner:       runtime.Self().String(),
		labelName:        spec.Name,
		labelUser:        spec.User,
		labelLanguage:    spec.Language,
		labelCreated:     now.UTC().Format(time.RFC3339),
		labelEnforcement: encodeEnforcement(held),
		labelNetwork:     string(spec.Network.Mode),
		labelImage:       spec.Image,
	}
	for key, value := range spec.Labels {
		labels[labelOwn+key] = value
	}
	return labels
}

// machineFromLabels reads what machineLabels wrote; false for a container that
// is no machine of ours.
func machineFromLabels(labels map[string]string) (runtime.Machine, bool) {
	vm, err := strconv.ParseInt(labels[labelVM], 10, 64)
	if err != nil || labels[labelInstance] == "" {
		return runtime.Machine{}, false
	}
	return runtime.Machine{
		Image:       labels[labelImage],
		Ref:         runtime.Ref{Instance: labels[labelInstance], VM: vm},
		Enforcement: decodeEnforcement(labels[labelEnforcement]),
		Owner:       runtime.ParseOwner(labels[labelOwner]),
	}, true
}

// encodeEnforcement writes the five strengths in the order of the struct.
func encodeEnforcement(e runtime.Enforcement) string {
	return fmt.Sprintf("%s,%s,%s,%s,%s", e.CPU, e.Memory, e.Disk, e.Pids, e.Network)
}

func decodeEnforcement(s string) runtime.Enforcement {
	parts := strings.Split(s, ",")
	if len(parts) != 5 {
		none := runtime.None
		return runtime.Enforcement{CPU: none, Memory: none, Disk: none, Pids: none, Network: none}
	}
	return runtime.Enforcement{
		CPU: runtime.Strength(parts[0]), Memory: runtime.Strength(parts[1]), Disk: runtime.Strength(parts[2]),
		Pids: runtime.Strength(parts[3]), Network: runtime.Strength(parts[4]),
	}
}
