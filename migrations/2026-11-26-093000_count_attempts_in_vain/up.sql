-- Attempts one after another that ended with their process and left nothing behind: such a run is given up at last.
-- Attempts that came further are not counted, however many there are.
ALTER TABLE runs ADD COLUMN attempts_in_vain integer NOT NULL DEFAULT 0,
    -- What was done when the last attempt began.
    ADD COLUMN reached text;
