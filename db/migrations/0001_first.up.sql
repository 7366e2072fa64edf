-- One text for both databases: the words in double braces are filled in by
-- migrate.go. Migrations run inside one transaction and hold no statement that
-- begins or ends one.

CREATE TABLE instance (
	id TEXT NOT NULL PRIMARY KEY
);
INSERT INTO instance (id) VALUES ('{{.NewInstance}}');

CREATE TABLE users (
	id         {{.Serial}},
	name       TEXT NOT NULL UNIQUE,
	created_at {{.Time}} NOT NULL
);

CREATE TABLE virtual_machines (
	id           {{.Serial}},
	user_id      BIGINT NOT NULL REFERENCES users (id),
	name         TEXT NOT NULL,
	status       TEXT NOT NULL,
	language     TEXT NOT NULL,
	runtime      TEXT NOT NULL,
	container_id TEXT NOT NULL,
	image        TEXT NOT NULL,
	template     TEXT NOT NULL,
	cpu_limit    DOUBLE PRECISION NOT NULL,
	memory_limit BIGINT NOT NULL,
	disk_limit   BIGINT NOT NULL,
	pids_limit   BIGINT NOT NULL,
	timeout      DOUBLE PRECISION NOT NULL,
	idle_timeout DOUBLE PRECISION NOT NULL,
	network      {{.JSON}} NOT NULL,
	isolation    TEXT NOT NULL,
	ip           TEXT NOT NULL,
	enforcement  {{.JSON}} NOT NULL,
	env          {{.JSON}} NOT NULL,
	labels       {{.JSON}} NOT NULL,
	scratch      BOOLEAN NOT NULL,
	error        TEXT NOT NULL,
	created_at   {{.Time}} NOT NULL,
	started_at   {{.Time}},
	stopped_at   {{.Time}},
	last_used_at {{.Time}} NOT NULL,
	expires_at   {{.Time}},
	owner        TEXT NOT NULL,
	owned_until  {{.Time}},
	version      BIGINT NOT NULL,
	UNIQUE (user_id, name)
);

-- vm_id and user_id are no foreign keys: an execution stays when its VM goes.
CREATE TABLE vm_executions (
	id              {{.Serial}},
	vm_id           BIGINT NOT NULL,
	vm_name         TEXT NOT NULL,
	user_id         BIGINT NOT NULL,
	code            {{.Bytes}} NOT NULL,
	language        TEXT NOT NULL,
	session         TEXT NOT NULL,
	detached        BOOLEAN NOT NULL,
	verdict         TEXT NOT NULL,
	phase           TEXT NOT NULL,
	output          {{.Bytes}} NOT NULL,
	error           {{.Bytes}} NOT NULL,
	output_omitted  BIGINT NOT NULL,
	error_omitted   BIGINT NOT NULL,
	result          TEXT NOT NULL,
	exit_code       BIGINT NOT NULL,
	signal          TEXT NOT NULL,
	execution_time  DOUBLE PRECISION NOT NULL,
	cpu_time        DOUBLE PRECISION NOT NULL,
	peak_memory_mib DOUBLE PRECISION NOT NULL,
	uri             TEXT NOT NULL,
	start_line      BIGINT NOT NULL,
	owner           TEXT NOT NULL,
	executed_at     {{.Time}} NOT NULL,
	ended_at        {{.Time}}
);
CREATE INDEX vm_executions_of_vm ON vm_executions (vm_id, id);
CREATE INDEX vm_executions_of_user ON vm_executions (user_id, id);
CREATE INDEX vm_executions_running ON vm_executions (vm_id) WHERE verdict = 'running';

CREATE TABLE vm_snapshots (
	id         {{.Serial}},
	vm_id      BIGINT NOT NULL REFERENCES virtual_machines (id) ON DELETE CASCADE,
	name       TEXT NOT NULL,
	comment    TEXT NOT NULL,
	kind       TEXT NOT NULL,
	parent     BIGINT NOT NULL,
	reference  TEXT NOT NULL,
	size_bytes BIGINT NOT NULL,
	created_at {{.Time}} NOT NULL
);
CREATE INDEX vm_snapshots_of_vm ON vm_snapshots (vm_id, id);

CREATE TABLE vm_templates (
	id         {{.Serial}},
	user_id    BIGINT NOT NULL,
	name       TEXT NOT NULL,
	language   TEXT NOT NULL,
	image      TEXT NOT NULL,
	packages   {{.JSON}} NOT NULL,
	setup      TEXT NOT NULL,
	env        {{.JSON}} NOT NULL,
	network    {{.JSON}} NOT NULL,
	limits     {{.JSON}} NOT NULL,
	created_at {{.Time}} NOT NULL,
	UNIQUE (user_id, name)
);

CREATE TABLE events (
	id        {{.Serial}},
	time      {{.Time}} NOT NULL,
	severity  TEXT NOT NULL,
	type      TEXT NOT NULL,
	user_id   BIGINT NOT NULL,
	user_name TEXT NOT NULL,
	vm_id     BIGINT NOT NULL,
	vm_name   TEXT NOT NULL,
	message   TEXT NOT NULL,
	data      {{.JSON}} NOT NULL
);
CREATE INDEX events_of_user ON events (user_id, id);
CREATE INDEX events_of_vm ON events (vm_id, id);

CREATE TABLE leases (
	name  TEXT NOT NULL PRIMARY KEY,
	owner TEXT NOT NULL,
	until {{.Time}} NOT NULL
);
{{if .ChangesTable}}
-- The notices of the last writes, for other processes; see feed_sqlite.go. Ids
-- have no gaps: without AUTOINCREMENT the next one is the largest plus one.
CREATE TABLE changes (
	id         INTEGER PRIMARY KEY,
	table_name TEXT NOT NULL,
	row_id     INTEGER NOT NULL,
	kind       TEXT NOT NULL
);
{{end}}
