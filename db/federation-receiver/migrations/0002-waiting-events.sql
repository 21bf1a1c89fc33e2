-- Events of other servers whose place is not known yet: what they follow could not be had when they came. Their servers take them for delivered.
CREATE TABLE waiting_events (
  event_id    TEXT PRIMARY KEY,
  room_id     TEXT NOT NULL,
  -- The server that gave it to us.
  origin      TEXT NOT NULL,
  -- JSON; its signatures and its hash were right.
  pdu         TEXT NOT NULL,
  -- Milliseconds since the Unix epoch.
  received_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX waiting_events_by_origin ON waiting_events (origin, room_id, received_ts);
