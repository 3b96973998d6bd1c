-- The rows of all organizations.
SET LOCAL entra_assets.system = 'on';
DELETE FROM run_changes WHERE action IN ('matched', 'ambiguous', 'unidentified', 'onlyInAssets');
ALTER TABLE run_changes DROP COLUMN writes_identity;
ALTER TABLE run_changes DROP COLUMN assets_keys;
ALTER TABLE run_changes DROP CONSTRAINT run_changes_action_check;
ALTER TABLE run_changes ADD CONSTRAINT run_changes_action_check
    CHECK (action IN ('create', 'update', 'unchanged', 'missing', 'mark', 'remove', 'restore'));
