-- Signing keys of other servers.
CREATE TABLE server_keys (
  server_name    TEXT NOT NULL,
  -- ed25519:…
  key_id         TEXT NOT NULL,
  public_key     BLOB NOT NULL,
  -- Of a key that its server does not use any more: when it stopped (expired_ts). Otherwise at most some days after it was fetched.
  valid_until_ts INTEGER NOT NULL,
  is_old         INTEGER NOT NULL CHECK (is_old IN (0, 1)),
  PRIMARY KEY (server_name, key_id)
) STRICT, WITHOUT ROWID;

-- What a server said of its keys last, signed by it: handed on to servers that ask us, also when that server is gone.
CREATE TABLE server_key_documents (
  server_name    TEXT PRIMARY KEY,
  document       TEXT NOT NULL,
  -- Likewise at most some days after it was fetched, whatever stands in it.
  valid_until_ts INTEGER NOT NULL,
  fetched_ts     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
