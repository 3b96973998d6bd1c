-- Types of which Assets may not hold what `mirror_delivered` says: the next delivery sends all of their objects.
ALTER TABLE mirrors ADD COLUMN resend text[] NOT NULL DEFAULT '{}';
