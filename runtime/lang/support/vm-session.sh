# The kernel of Bash sessions: sources what the guest asks for, one after the
# other, at the top level of one shell. The messages are described in the guest's
# fields.go.

exec {__vm_in}<&0 {__vm_out}>&1 </dev/null >/dev/null

# An interrupt leaves the code, out of all its functions, by a debug trap that
# lets each of them return (extdebug in bash(1)).
__vm_unwind() { ((${#BASH_SOURCE[@]} <= 2)) || return 2; }
__vm_interrupt() {
	[[ $__vm_busy ]] || return 0
	__vm_interrupted=1
	set -T
	shopt -s extdebug
	trap __vm_unwind DEBUG
}

# Reads one message into __vm_fields.
__vm_read() {
	local count field
	IFS= read -r -d '' -u "$__vm_in" count || return
	__vm_fields=()
	while ((count-- > 0)); do
		IFS= read -r -d '' -u "$__vm_in" field || return
		__vm_fields+=("$field")
	done
}

# Goes where the request says, and sets its variables.
__vm_prepare() {
	local pair
	[[ -z ${__vm_fields[2]} ]] || cd -- "${__vm_fields[2]}" || return
	for pair in "${__vm_fields[@]:4+__vm_fields[3]}"; do
		export "$pair"
	done
}

trap __vm_interrupt INT
printf '1\0ready\0' >&"$__vm_out"
while __vm_busy= && __vm_read; do
	exec 0<"${__vm_fields[0]}/stdin" 1>"${__vm_fields[0]}/stdout" 2>"${__vm_fields[0]}/stderr"
	__vm_interrupted=
	__vm_busy=1
	printf '1\0begun\0' >&"$__vm_out"
	if __vm_prepare; then
		source "${__vm_fields[1]}" "${__vm_fields[@]:4:__vm_fields[3]}"
	fi
	__vm_code=$?
	__vm_busy=
	if [[ $__vm_interrupted ]]; then
		__vm_code=130
		trap - DEBUG
		shopt -u extdebug
		set +T
	fi
	trap __vm_interrupt INT
	exec 0</dev/null 1>/dev/null 2>/dev/null
	printf '3\0done\0%d\0\0' "$__vm_code" >&"$__vm_out"
done
