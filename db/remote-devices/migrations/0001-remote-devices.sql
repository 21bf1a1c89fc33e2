-- Device lists of users of other servers that are kept up to date: each of them shares a room with somebody here.
CREATE TABLE remote_device_lists (
  user_id          TEXT PRIMARY KEY,
  -- The newest update of its server that is in the list.
  newest_update    INTEGER NOT NULL,
  -- 1: something was missed, and the whole list is to be asked for.
  is_stale         INTEGER NOT NULL CHECK (is_stale IN (0, 1)),
  -- JSON; null for none.
  master_key       TEXT,
  self_signing_key TEXT
) STRICT, WITHOUT ROWID;

-- The devices of those lists that have keys. The name of a device stands in its keys, under unsigned.
CREATE TABLE remote_devices (
  user_id   TEXT NOT NULL,
  device_id TEXT NOT NULL,
  keys      TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id)
) STRICT, WITHOUT ROWID;

-- Changes that the owner of device lists has not been told of.
CREATE TABLE unannounced_remote_changes (
  user_id   TEXT NOT NULL,
  -- A device, or the public key of a cross-signing key.
  device_id TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id)
) STRICT, WITHOUT ROWID;

-- Up to where on the events stream it was looked who has left.
CREATE TABLE remote_devices_progress (
  only_row     INTEGER PRIMARY KEY CHECK (only_row = 1),
  events_up_to INTEGER NOT NULL
) STRICT;
