CREATE TABLE to_device_messages (
  stream_id INTEGER NOT NULL,
  user_id   TEXT NOT NULL,
  device_id TEXT NOT NULL,
  sender    TEXT NOT NULL,
  type      TEXT NOT NULL,
  content   TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id, stream_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX to_device_messages_by_stream_id ON to_device_messages (stream_id);

CREATE TABLE to_device_transactions (
  user_id    TEXT NOT NULL,
  device_id  TEXT NOT NULL,
  txn_id     TEXT NOT NULL,
  created_ts INTEGER NOT NULL,
  PRIMARY KEY (user_id, device_id, txn_id)
) STRICT, WITHOUT ROWID;
