# shellcheck shell=bash
# What the parts of testenv share: messages, rights, packages, ports, processes.

say() { echo "testenv: $*" >&2; }

# timed PHASE CMD… runs CMD and says how long it took.
timed() {
	local phase=$1 start=$SECONDS status=0
	shift
	"$@" || status=$?
	say "$phase: $((SECONDS - start)) s"
	return "$status"
}

may_be_root() { [[ $(id -u) == 0 ]] || sudo -n true 2>/dev/null; }

as_root() {
	if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi
}

# need COMMAND:PACKAGE… installs the packages whose command is missing. Where
# that is not allowed it prints what to install and fails.
need() {
	local pair missing=()
	for pair in "$@"; do
		find_command "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
	done
	[[ ${#missing[@]} == 0 ]] && return
	if ! command -v apt-get >/dev/null || ! may_be_root; then
		say "missing here; install by hand: ${missing[*]}"
		return 1
	fi
	timed "install ${missing[*]}" install_packages "${missing[@]}"
}

# Programs of the system's administrator are not on every user's PATH.
find_command() { PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin command -v "$1"; }

# Installing a server's package must not start the server: a policy file says
# so to the package's scripts for as long as the installation takes.
install_packages() {
	local policy=/usr/sbin/policy-rc.d made= status=0
	if [[ ! -e $policy ]]; then
		printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 /dev/stdin "$policy"
		made=yes
	fi
	{
		as_root apt-get update -qq &&
			as_root env DEBIAN_FRONTEND=noninteractive \
				apt-get install -y -qq --no-install-recommends "$@"
	} >"$cache/install.log" 2>&1 || status=$?
	[[ $made ]] && as_root rm -f "$policy"
	[[ $status == 0 ]] || tail -n 20 "$cache/install.log" >&2
	return "$status"
}

# free_port FIRST prints the first port from FIRST on that nobody listens on.
free_port() {
	local port=$1
	while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
		port=$((port + 1))
	done
	echo "$port"
}

# running PIDFILE MARK succeeds when the process of that file is alive and has
# MARK on its command line: a pid alone may have been given to somebody else.
running() {
	local pid
	pid=$(cat "$1" 2>/dev/null) && [[ $pid ]] &&
		tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF -- "$2"
}

# wait_until SECONDS CMD… waits for CMD to succeed.
wait_until() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || return 1
		sleep 0.1
	done
}

# stop PIDFILE MARK ends that process: politely, and after 20 s by force.
stop() {
	local pid
	running "$1" "$2" || return 0
	pid=$(cat "$1")
	as_root kill -TERM "$pid"
	wait_until 20 not_running "$1" "$2" || as_root kill -KILL "$pid"
}

not_running() { ! running "$@"; }
