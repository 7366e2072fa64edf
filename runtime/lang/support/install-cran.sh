# Installs into the library of the VM's user, where R looks by itself.
command -v Rscript >/dev/null || { echo 'vm: no package manager: cran' >&2; exit 127; }
exec Rscript --no-init-file "${0%/*}/install-cran.R" "$@"
