-- What a run finds of its objects in an object type that the object schema had before.
ALTER TABLE run_changes DROP CONSTRAINT run_changes_action_check;
ALTER TABLE run_changes ADD CONSTRAINT run_changes_action_check CHECK (action IN (
    'create', 'update', 'unchanged', 'missing', 'mark', 'remove', 'restore', 'matched', 'ambiguous', 'unidentified',
    'onlyInAssets'));
-- The objects in Assets that the change is about: ITSM-5186.
ALTER TABLE run_changes ADD COLUMN assets_keys text[];
-- The object API has still to write the identity into the object that was matched by another property.
ALTER TABLE run_changes ADD COLUMN writes_identity boolean NOT NULL DEFAULT false;
