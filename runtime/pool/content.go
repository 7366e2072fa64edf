package pool

import (
	"errors"
	"slices"
	"strings"

	"github.com/itechsmart/vm/db"
)

// maxTemplateFiles is how much the files of a template hold together, in bytes.
const maxTemplateFiles = 4 << 20

// content is what a VM has beside its image.
type content struct {
	template  string // whose it is; "" = the VM's alone
	packages  []string
	files     []db.TemplateFile
	setup     string
	setupUser string
}

func (c content) empty() bool {
	return len(c.packages) == 0 && len(c.files) == 0 && strings.TrimSpace(c.setup) == ""
}

// contentOf is what a template, with what a request adds, puts into a VM.
func contentOf(t Template, packages []string) content {
	return content{
		template: t.Name, packages: slices.Concat(t.Packages, packages), files: t.Files, setup: t.Setup, setupUser: t.SetupUser,
	}
}

// checkContent checks packages and files for a VM of that language.
func (p *Pool) checkContent(vm db.VirtualMachine, c content) error {
	if err := checkTemplateFiles(c.files); err != nil || len(c.packages) == 0 {
		return err
	}
	if vm.Language == "" {
		return &Error{Kind: ErrInvalid, Field: "packages", Message: "packages are those of a language, and none is named",
			Hint: "name the language, or install packages of the system in the set-up script"}
	}
	t := Tenant{Pool: p}
	_, err := t.installation(vm, InstallRequest{Packages: c.packages})
	var wrong *Error
	if errors.As(err, &wrong) {
		wrong.Field = "packages"
	}
	return err
}

func checkTemplateFiles(files []db.TemplateFile) error {
	total := 0
	for _, f := range files {
		if f.Path == "" || strings.HasSuffix(f.Path, "/") || strings.ContainsRune(f.Path, 0) {
			return invalid("files", "%s is not a file name", quote(f.Path))
		}
		total += len(f.Data)
	}
	if total > maxTemplateFiles {
		return invalid("files", "the files have %d bytes together; at most %d are allowed", total, maxTemplateFiles)
	}
	return nil
}
