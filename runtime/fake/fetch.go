package fake

import (
	"errors"
	"fmt"
	"strings"

	"github.com/itechsmart/vm/runtime/runtimetest/report"
)

// fetch goes out as programs of real machines do: through the proxy that its
// environment names.
func (p *process) fetch(addresses ...string) (map[string]report.Fetched, error) {
	proxy := ""
	for _, variable := range p.spec.Env {
		if value, ok := strings.CutPrefix(variable, "HTTP_PROXY="); ok {
			proxy = value
		}
	}
	if proxy == "" {
		return nil, errors.New("network is unreachable")
	}
	return report.Fetch(p.ctx, proxy, addresses)
}

func probeFetch(p *process, addresses []string) int {
	fetched, err := p.fetch(addresses...)
	if err != nil {
		return p.fail(err)
	}
	return p.report(fetched)
}

func scriptFetch(p *process, address string) error {
	fetched, err := p.fetch(address)
	if err != nil {
		return err
	}
	got := fetched[address]
	if got.Error != "" {
		return errors.New(got.Error)
	}
	code, _, _ := strings.Cut(got.Status, " ")
	_, err = fmt.Fprintf(p.out(), "%s: %s\n", code, got.Body)
	return err
}
