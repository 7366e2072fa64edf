-- What an execution in a session answers beside its output.

ALTER TABLE vm_executions ADD COLUMN session_note TEXT NOT NULL DEFAULT '';
ALTER TABLE vm_executions ADD COLUMN artifacts {{.JSON}} NOT NULL DEFAULT '[]';
