-- VMs that others are made from, and which are nobody's own; and the files of
-- templates.
ALTER TABLE virtual_machines ADD COLUMN build TEXT NOT NULL DEFAULT '';
ALTER TABLE vm_templates ADD COLUMN files {{.JSON}} NOT NULL DEFAULT '[]';
