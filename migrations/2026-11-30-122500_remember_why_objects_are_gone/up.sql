-- Why a delivered object is gone, as the read found it that took it out of the mirror. A later run cannot find it again.
ALTER TABLE mirror_touched ADD COLUMN reason text;
