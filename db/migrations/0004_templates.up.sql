-- What templates say beside the first migration's columns, and what their
-- set-up scripts printed in each VM.
ALTER TABLE vm_templates ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE vm_templates ADD COLUMN setup_user TEXT NOT NULL DEFAULT '';
ALTER TABLE vm_templates ADD COLUMN labels {{.JSON}} NOT NULL DEFAULT '{}';

CREATE TABLE vm_setups (
	vm_id  BIGINT NOT NULL PRIMARY KEY REFERENCES virtual_machines (id) ON DELETE CASCADE,
	output {{.Bytes}} NOT NULL,
	began  {{.Time}} NOT NULL
);
