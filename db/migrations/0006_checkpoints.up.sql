-- Why there is no checkpoint before an execution that was to have one.
ALTER TABLE vm_executions ADD COLUMN checkpoint_note TEXT NOT NULL DEFAULT '';
