-- Null: never.
ALTER TABLE access_tokens ADD COLUMN expires_ts INTEGER;
-- The refresh token that was given out with it; null: none.
ALTER TABLE access_tokens ADD COLUMN refresh_hash TEXT;

-- Hex SHA-256, as of access tokens. A device has at most three: one that is used up, its successor, and the successor of that one.
CREATE TABLE refresh_tokens (
  token_hash    TEXT PRIMARY KEY,
  user_id       TEXT NOT NULL,
  device_id     TEXT NOT NULL,
  -- The one that it replaces as soon as it, or its access token, is used for the first time; null when that has happened.
  replaces_hash TEXT,
  -- Replaced: it is kept a while, to tell who still has it from a stranger.
  is_used_up    INTEGER NOT NULL DEFAULT 0,
  created_ts    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_tokens_by_device ON refresh_tokens (user_id, device_id);

-- For one login, or for another service to find out who somebody is. Hashes only.
CREATE TABLE passing_tokens (
  token_hash TEXT PRIMARY KEY,
  purpose    TEXT NOT NULL CHECK (purpose IN ('login', 'openid')),
  user_id    TEXT NOT NULL,
  expires_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX passing_tokens_by_user ON passing_tokens (user_id, purpose, expires_ts);
CREATE INDEX passing_tokens_by_end ON passing_tokens (expires_ts);
