ALTER TABLE mirrors DROP COLUMN resend;
