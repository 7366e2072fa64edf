package handlers

import (
	"context"

	"github.com/itechsmart/vm/runtime/pool"
)

// InstallParams name packages to be brought into a VM.
type InstallParams struct {
	ID       ID       `json:"id" required:"true" doc:"the VM's id or name"`
	Packages []string `json:"packages" required:"true" doc:"as their package manager has them, with versions: flask==3.0, @scope/name@1, group:artifact:1.0"`
	Language string   `json:"language,omitempty" doc:"whose packages, or system for those of the VM's own distribution; default: the VM's language"`
	Tokens
}

func installPackages(ctx context.Context, s Scope, p InstallParams) (Execution, error) {
	vm, err := s.get(ctx, p.ID)
	if err != nil {
		return Execution{}, err
	}
	_, end := s.progress(ctx, p.Tokens, "Installing packages in VM "+vm.Name)
	o, flush := s.observe(ctx, p.Tokens)
	e, err := s.InstallPackages(ctx, vm, pool.InstallRequest{Packages: p.Packages, Language: p.Language}, o)
	end(err)
	flush()
	return s.answer(ctx, e, err)
}
