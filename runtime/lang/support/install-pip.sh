# Installs for the VM's user, where Python looks by itself. In an environment of
# its own (venv) that is not so: there, into that.
python=${VM_PROGRAM:-python3}
"$python" -m pip --version >/dev/null 2>&1 || { echo 'vm: no package manager: pip' >&2; exit 127; }
if [ -n "$VM_INDEX_PIP" ]; then
	export PIP_INDEX_URL="$VM_INDEX_PIP"
	plain=${VM_INDEX_PIP#http://}
	if [ "$plain" != "$VM_INDEX_PIP" ]; then # asked for by hand: do without a certificate
		plain=${plain%%/*}
		export PIP_TRUSTED_HOST="${plain#*@}"
	fi
fi
user=--user
"$python" -c 'import sys; sys.exit(sys.prefix != sys.base_prefix)' || user=
# Packages of the user's do not get in the way of the distribution's (PEP 668).
export PIP_BREAK_SYSTEM_PACKAGES=1
exec "$python" -m pip install $user --no-input --no-cache-dir --disable-pip-version-check \
	--no-warn-script-location --progress-bar off -- "$@"
