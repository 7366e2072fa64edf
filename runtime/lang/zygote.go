package lang

import "github.com/itechsmart/vm/runtime/agent"

// pythonZygote is how a Python interpreter waits. Variables of Python's own act
// when it starts, and so do those of the dynamic linker, which may bring code of
// the VM's along; those that images are described by do not.
func pythonZygote() *agent.Zygote {
	return &agent.Zygote{
		Options: 2,
		Boot:    []string{"-c", "exec([c for f in [open(4)] for c in [f.read()] if not f.close()][0], {'__name__': 'vm-zygote'})"},
		Env:     []string{"PYTHONUSERBASE=/nonexistent"},
		Code:    support("vm-zygote.py").Data,
		Unless:  []string{"PYTHON*", "LD_*", "MALLOC_*", "GLIBC_TUNABLES=*"},
		Although: []string{
			"PYTHONPATH=.", "PYTHONUNBUFFERED=*", "PYTHONDONTWRITEBYTECODE=*", "PYTHONIOENCODING=*", "PYTHONUTF8=*",
			"PYTHONHASHSEED=*", "PYTHON_VERSION=*", "PYTHON_SHA256=*", "PYTHON_PIP_VERSION=*",
			"PYTHON_SETUPTOOLS_VERSION=*", "PYTHON_GET_PIP_URL=*", "PYTHON_GET_PIP_SHA256=*",
		},
	}
}
