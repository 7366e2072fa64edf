# shellcheck shell=bash disable=SC2154
# A private image registry on a loopback port, so that pulls are real ones.

registry_pid=$run/registry.pid
registry_config=$run/registry.yml
registry_port=$run/registry.port

registry_running() { running "$registry_pid" "$registry_config"; }

registry_address() { echo "127.0.0.1:$(cat "$registry_port")"; }

registry_up() {
	registry_running && return
	need docker-registry:docker-registry || return
	free_port 25300 >"$registry_port"
	cat >"$registry_config" <<-END
		version: 0.1
		log: {level: warn}
		storage: {filesystem: {rootdirectory: "$cache/registry"}, delete: {enabled: true}}
		http: {addr: "$(registry_address)"}
	END
	registry_sweep
	setsid docker-registry serve "$registry_config" \
		</dev/null >"$cache/registry.log" 2>&1 9>&- &
	echo $! >"$registry_pid"
	wait_until 20 registry_answers || {
		tail -n 20 "$cache/registry.log" >&2
		return 1
	}
}

# What earlier tests pushed, below test/, is not kept.
registry_sweep() {
	local pushed=$cache/registry/docker/registry/v2/repositories/test
	[[ -d $pushed ]] || return 0
	rm -rf -- "$pushed"
	docker-registry garbage-collect "$registry_config" >/dev/null 2>&1 ||
		say "the registry's garbage could not be collected"
}

registry_answers() { (exec 3<>"/dev/tcp/127.0.0.1/$(cat "$registry_port")"); }

registry_down() { stop "$registry_pid" "$registry_config"; }

registry_env() {
	registry_running && echo "export ITECHSMART_TEST_REGISTRY=$(registry_address)"
	return 0
}
