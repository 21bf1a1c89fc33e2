-- Other servers that were sent something.
CREATE TABLE destinations (
  destination       TEXT PRIMARY KEY,
  -- Of the events that were for it, it has all up to this position of the events stream, but for those in unsent_events.
  events_sent_up_to INTEGER NOT NULL,
  -- Milliseconds since the Unix epoch; null: not known.
  last_heard_ts     INTEGER
) STRICT, WITHOUT ROWID;

-- Servers that did not take what they were sent, or did not answer. Times are milliseconds since the Unix epoch.
CREATE TABLE failing_destinations (
  destination      TEXT PRIMARY KEY,
  failing_since_ts INTEGER NOT NULL,
  retry_ts         INTEGER NOT NULL,
  -- In a row.
  failures         INTEGER NOT NULL,
  -- 1: it answers, and refuses what it is sent.
  is_answering     INTEGER NOT NULL CHECK (is_answering IN (0, 1)),
  last_error       TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What a server could not be sent yet: of each room the newest event that is for it. It asks for those before.
CREATE TABLE unsent_events (
  destination TEXT NOT NULL,
  -- Not its number: events outlive the rooms that are deleted.
  room_id     TEXT NOT NULL,
  event_nid   INTEGER NOT NULL,
  PRIMARY KEY (destination, room_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX unsent_events_in_order ON unsent_events (destination, event_nid);

-- The last change of a user's devices that a server was sent: what the next one follows.
CREATE TABLE sent_device_lists (
  destination TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  sent_up_to  INTEGER NOT NULL,
  PRIMARY KEY (destination, user_id)
) STRICT, WITHOUT ROWID;

-- Up to where all events of ours are sent, or stand in unsent_events.
CREATE TABLE federation_progress (
  only_row     INTEGER PRIMARY KEY CHECK (only_row = 1),
  events_up_to INTEGER NOT NULL
) STRICT;
