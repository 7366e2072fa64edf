# shellcheck shell=bash disable=SC2154
# A private PostgreSQL server on a loopback port with throw-away data. It
# refuses to run as root, so its folder is outside the cache, which its user
# might not be allowed to enter.

postgres_folder=$run/postgres.dir # the name of the server's folder

postgres_dir() { cat "$postgres_folder" 2>/dev/null; }

postgres_running() {
	local dir
	dir=$(postgres_dir) && [[ -s $dir/data/postmaster.pid ]] &&
		[[ -d /proc/$(head -n 1 "$dir/data/postmaster.pid") ]]
}

# As root, the package's own user runs the server.
as_postgres() {
	if [[ $(id -u) == 0 ]]; then runuser -u postgres -- "$@"; else "$@"; fi
}

postgres_bin() {
	local found
	found=$(find /usr/lib/postgresql/*/bin -name "$1" 2>/dev/null | sort -V | tail -n 1)
	[[ $found ]] && echo "$found" || command -v "$1"
}

postgres_up() {
	postgres_running && return
	postgres_bin initdb >/dev/null || need initdb:postgresql || return
	timed "start PostgreSQL" postgres_start
}

postgres_start() {
	local dir port password
	dir=$(mktemp -d "${TMPDIR:-/tmp}/itechsmart-postgres.XXXXXX")
	echo "$dir" >"$postgres_folder"
	port=$(free_port 25432)
	password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
	echo "$password" >"$dir/password"
	if [[ $(id -u) == 0 ]]; then chown -R postgres "$dir"; fi
	(
		cd "$dir" # the server's user may not enter the caller's folder
		as_postgres "$(postgres_bin initdb)" -D data -U itechsmart -E UTF8 --locale=C.UTF-8 \
			-A scram-sha-256 --pwfile=password --no-sync
		as_postgres "$(postgres_bin pg_ctl)" -D data -w -l server.log -o "-p $port -h 127.0.0.1 \
			-k $dir -c fsync=off -c full_page_writes=off -c max_connections=200" start
	) >"$cache/postgres.log" 2>&1 9>&- || {
		tail -n 20 "$cache/postgres.log" >&2
		return 1
	}
	echo "postgres://itechsmart:$password@127.0.0.1:$port/postgres?sslmode=disable" >"$run/postgres.url"
	chmod 600 "$run/postgres.url"
}

postgres_down() {
	local dir
	dir=$(postgres_dir) || return 0
	if postgres_running; then
		(cd / && as_postgres "$(postgres_bin pg_ctl)" -D "$dir/data" -m immediate -w stop >/dev/null)
	fi
	rm -rf -- "$dir" "$postgres_folder" "$run/postgres.url"
}

postgres_env() {
	postgres_running && echo "export ITECHSMART_TEST_POSTGRES='$(cat "$run/postgres.url")'"
	return 0
}
