-- Null: not locked, not suspended.
ALTER TABLE accounts ADD COLUMN locked_ts INTEGER;
ALTER TABLE accounts ADD COLUMN suspended_ts INTEGER;
-- When a user who has gone has asked that whoever comes later be served their events without content; null: not.
ALTER TABLE accounts ADD COLUMN erased_ts INTEGER;
-- A deactivated account whose rooms are still to be left.
ALTER TABLE accounts ADD COLUMN is_leaving INTEGER NOT NULL DEFAULT 0;

CREATE INDEX accounts_leaving ON accounts (user_id) WHERE is_leaving = 1;
