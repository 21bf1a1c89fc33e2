CREATE TABLE accounts (
  user_id        TEXT PRIMARY KEY,
  -- PHC text of argon2id; null when nobody can log in with a password.
  password_hash  TEXT,
  is_admin       INTEGER NOT NULL DEFAULT 0,
  is_guest       INTEGER NOT NULL DEFAULT 0,
  created_ts     INTEGER NOT NULL,
  -- Null while the account is in use.
  deactivated_ts INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
  user_id              TEXT NOT NULL,
  device_id            TEXT NOT NULL,
  display_name         TEXT,
  created_ts           INTEGER NOT NULL,
  last_seen_ts         INTEGER,
  last_seen_ip         TEXT,
  last_seen_user_agent TEXT,
  PRIMARY KEY (user_id, device_id)
) STRICT, WITHOUT ROWID;

-- The tokens themselves are never stored: hex SHA-256.
CREATE TABLE access_tokens (
  token_hash TEXT PRIMARY KEY,
  user_id    TEXT NOT NULL,
  device_id  TEXT NOT NULL,
  created_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX access_tokens_by_device ON access_tokens (user_id, device_id);

-- One row per field, so that a profile can hold any field. `value` is JSON.
CREATE TABLE profile_fields (
  user_id TEXT NOT NULL,
  field   TEXT NOT NULL,
  value   TEXT NOT NULL,
  PRIMARY KEY (user_id, field)
) STRICT, WITHOUT ROWID;

-- Stored plain: an admin has to be able to read them again, and they are worth one registration each.
-- Uses that are pending live in memory beside the sessions that hold them, so that a crash gives them back.
CREATE TABLE registration_tokens (
  token          TEXT PRIMARY KEY,
  -- Null: as often as wanted.
  uses_allowed   INTEGER,
  uses_completed INTEGER NOT NULL DEFAULT 0,
  -- Null: never.
  expires_ts     INTEGER,
  grants_admin   INTEGER NOT NULL DEFAULT 0,
  -- The token of the first start, for the account of the first admin.
  is_first       INTEGER NOT NULL DEFAULT 0,
  created_ts     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
