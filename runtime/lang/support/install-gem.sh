# Installs for the VM's user, where Ruby looks by itself. No -- here: what follows
# it would be for the builds of extensions.
command -v gem >/dev/null || { echo 'vm: no package manager: gem' >&2; exit 127; }
exec gem install --remote --user-install --no-document --conservative \
	${VM_INDEX_GEM:+--clear-sources --source "$VM_INDEX_GEM"} "$@"
