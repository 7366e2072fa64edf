-- Where a VM's files come from, and what an execution can be undone by.
ALTER TABLE virtual_machines ADD COLUMN snapshot BIGINT NOT NULL DEFAULT 0;
ALTER TABLE vm_executions ADD COLUMN checkpoint BIGINT NOT NULL DEFAULT 0;
ALTER TABLE vm_executions ADD COLUMN undone BOOLEAN NOT NULL DEFAULT FALSE;
CREATE UNIQUE INDEX vm_snapshots_names ON vm_snapshots (vm_id, name);
