CREATE TABLE account_data (
  user_id   TEXT NOT NULL,
  -- '' for global account data.
  room_id   TEXT NOT NULL,
  type      TEXT NOT NULL,
  content   TEXT NOT NULL,
  stream_id INTEGER NOT NULL,
  PRIMARY KEY (user_id, room_id, type)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX account_data_by_stream_id ON account_data (stream_id);
CREATE INDEX account_data_by_user ON account_data (user_id, stream_id);

CREATE TABLE filters (
  user_id   TEXT NOT NULL,
  filter_id INTEGER NOT NULL,
  hash      TEXT NOT NULL,
  filter    TEXT NOT NULL,
  PRIMARY KEY (user_id, filter_id),
  UNIQUE (user_id, hash)
) STRICT, WITHOUT ROWID;
