-- Who this server is: written once, before the first user.
CREATE TABLE server_identity (
  only_row    INTEGER PRIMARY KEY CHECK (only_row = 1),
  server_name TEXT NOT NULL
) STRICT;

-- The keys that this server signs or has signed with. The newest one that was not retired signs.
CREATE TABLE signing_keys (
  key_id     TEXT PRIMARY KEY,
  seed       BLOB NOT NULL,
  created_ts INTEGER NOT NULL,
  retired_ts INTEGER
) STRICT, WITHOUT ROWID;
