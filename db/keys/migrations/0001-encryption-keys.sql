-- What devices have published of themselves: JSON as it was signed, with its signatures.
CREATE TABLE device_keys (
  user_id   TEXT NOT NULL,
  device_id TEXT NOT NULL,
  keys      TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id)
) STRICT, WITHOUT ROWID;

-- Handed out in the order of `key_nid`. A claimed key stays for a while without its text, so that an upload that is repeated does not bring it back.
CREATE TABLE one_time_keys (
  key_nid    INTEGER PRIMARY KEY,
  user_id    TEXT NOT NULL,
  device_id  TEXT NOT NULL,
  algorithm  TEXT NOT NULL,
  key_id     TEXT NOT NULL,
  -- Canonical JSON; '' once it is claimed.
  key        TEXT NOT NULL,
  is_claimed INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX one_time_keys_by_id ON one_time_keys (user_id, device_id, algorithm, key_id);
CREATE INDEX one_time_keys_in_order ON one_time_keys (user_id, device_id, algorithm, is_claimed, key_nid);

CREATE TABLE fallback_keys (
  user_id   TEXT NOT NULL,
  device_id TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  key_id    TEXT NOT NULL,
  -- Canonical JSON.
  key       TEXT NOT NULL,
  is_used   INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (user_id, device_id, algorithm)
) STRICT, WITHOUT ROWID;

-- Where the one-time and fallback keys of a device last changed, on the keys stream.
CREATE TABLE key_count_changes (
  user_id   TEXT NOT NULL,
  device_id TEXT NOT NULL,
  stream_id INTEGER NOT NULL,
  PRIMARY KEY (user_id, device_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX key_count_changes_by_stream_id ON key_count_changes (stream_id);

CREATE TABLE cross_signing_keys (
  user_id    TEXT NOT NULL,
  -- master, self_signing or user_signing.
  usage      TEXT NOT NULL,
  public_key TEXT NOT NULL,
  -- Canonical JSON; the signatures of a master key stand in key_signatures.
  key        TEXT NOT NULL,
  PRIMARY KEY (user_id, usage)
) STRICT, WITHOUT ROWID;

-- Signatures that were added to keys after their upload, and those of devices on master keys.
CREATE TABLE key_signatures (
  target_user_id TEXT NOT NULL,
  signer_user_id TEXT NOT NULL,
  -- A device id, or the public key of a master key.
  target_key_id  TEXT NOT NULL,
  -- With its algorithm: 'ed25519:…'.
  signer_key_id  TEXT NOT NULL,
  signature      TEXT NOT NULL,
  PRIMARY KEY (target_user_id, signer_user_id, target_key_id, signer_key_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX key_signatures_by_signer ON key_signatures (signer_user_id, signer_key_id);

-- Where a user last signed somebody's keys, on the keys stream: of interest to the devices of who signed alone.
CREATE TABLE signature_changes (
  user_id        TEXT NOT NULL,
  target_user_id TEXT NOT NULL,
  stream_id      INTEGER NOT NULL,
  PRIMARY KEY (user_id, target_user_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX signature_changes_by_stream_id ON signature_changes (stream_id);
CREATE INDEX signature_changes_by_user ON signature_changes (user_id, stream_id);

-- Changes that the owner of device lists may not have heard of: written with the change, deleted when it has.
CREATE TABLE unannounced_key_changes (
  user_id   TEXT NOT NULL,
  device_id TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id)
) STRICT, WITHOUT ROWID;
