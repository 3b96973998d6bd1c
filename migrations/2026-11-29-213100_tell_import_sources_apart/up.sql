-- Two jobs that deliver to one import source undo each other, also through two destinations. The id of an import source is
-- known once Assets was asked; before, a hash of the token tells whether two destinations lead to the same one.
ALTER TABLE destinations ADD COLUMN token_hash bytea, ADD COLUMN import_source text;
