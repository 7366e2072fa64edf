# shellcheck shell=bash disable=SC2154
# A private Docker Engine: its own data, sockets, pid file and containerd
# namespace, and no default bridge (the tests bring their own networks).

engine_socket=$run/docker.sock
engine_pid=$run/dockerd.pid

engine_docker() { DOCKER_HOST=unix://$engine_socket docker "$@"; }

engine_running() { running "$engine_pid" "$cache/engine"; }

engine_up() {
	engine_running && return
	if ((${#engine_socket} > 100)); then
		say "the cache folder's path is too long for a socket; set ITECHSMART_TEST_CACHE"
		return 1
	fi
	need dockerd:docker.io iptables:iptables || return
	need docker:docker-cli || return # apart from docker.io since Debian 13
	if ! may_be_root; then
		say "starting a Docker Engine takes root or sudo without a password"
		return 1
	fi
	engine_start || return
	timed "start Docker Engine" wait_until 60 engine_docker version || {
		tail -n 20 "$cache/dockerd.log" >&2
		return 1
	}
	engine_sweep
}

engine_start() {
	local flags=(
		--host "unix://$engine_socket" --group "$(id -gn)"
		--data-root "$cache/engine" --exec-root "$run/exec" --pidfile "$engine_pid"
		--config-file "$run/daemon.json"
		--containerd-namespace itechsmart-test
		--containerd-plugins-namespace itechsmart-test-plugins
		--bridge none --userland-proxy=false
	)
	# Two engines would fight over the same chains of iptables.
	if pgrep -x dockerd >/dev/null; then flags+=(--iptables=false); fi
	echo '{}' >"$run/daemon.json"
	as_root setsid "$(find_command dockerd)" "${flags[@]}" \
		</dev/null >"$cache/dockerd.log" 2>&1 9>&- &
}

# What a killed test run left in the engine must not meet the next one.
engine_sweep() {
	local left
	mapfile -t left < <(engine_docker ps -aq)
	[[ ${#left[@]} == 0 ]] || engine_docker rm -fv "${left[@]}" >/dev/null
	engine_docker network prune -f >/dev/null
}

engine_down() { stop "$engine_pid" "$cache/engine"; }

engine_env() {
	engine_running && echo "export ITECHSMART_TEST_DOCKER_HOST=unix://$engine_socket"
	return 0
}
