CREATE TABLE receipts (
  room_nid  INTEGER NOT NULL,
  user_nid  INTEGER NOT NULL,
  type      TEXT NOT NULL,
  -- '' for an unthreaded receipt.
  thread_id TEXT NOT NULL,
  event_id  TEXT NOT NULL,
  ts        INTEGER NOT NULL,
  stream_id INTEGER NOT NULL,
  PRIMARY KEY (room_nid, user_nid, type, thread_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX receipts_by_stream_id ON receipts (stream_id);
