-- Encrypted copies of the keys of messages, which only their user can read.
CREATE TABLE key_backups (
  -- Of the keys, not of the version: a version that loses all its keys at once goes on under another number.
  backup_nid INTEGER PRIMARY KEY AUTOINCREMENT,
  user_id    TEXT NOT NULL,
  version    INTEGER NOT NULL,
  algorithm  TEXT NOT NULL,
  -- JSON.
  auth_data  TEXT NOT NULL,
  -- Grows with every change of the keys.
  etag       INTEGER NOT NULL,
  key_count  INTEGER NOT NULL,
  -- Of `session_data` alone.
  size_bytes INTEGER NOT NULL,
  UNIQUE (user_id, version)
) STRICT;

-- The highest version that a user has had: those below it that are not there were deleted, and are never given again.
CREATE TABLE key_backup_versions (
  user_id TEXT PRIMARY KEY,
  version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE key_backup_sessions (
  backup_nid          INTEGER NOT NULL,
  room_id             TEXT NOT NULL,
  session_id          TEXT NOT NULL,
  first_message_index INTEGER NOT NULL,
  forwarded_count     INTEGER NOT NULL,
  is_verified         INTEGER NOT NULL,
  -- JSON.
  session_data        TEXT NOT NULL,
  PRIMARY KEY (backup_nid, room_id, session_id)
) STRICT, WITHOUT ROWID;

-- Keys that belong to no version any more: deleted little by little.
CREATE TABLE key_backup_leftovers (
  backup_nid INTEGER PRIMARY KEY
) STRICT;
