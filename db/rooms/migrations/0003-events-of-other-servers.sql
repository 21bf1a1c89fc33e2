-- The server that gave the event to us; null: it was made here.
ALTER TABLE events ADD COLUMN received_from TEXT;

-- The state that a room's several forward extremities resolve to; null while there is one extremity, whose state it is.
ALTER TABLE rooms ADD COLUMN resolved_state_group INTEGER;

-- Events that were rejected for want of auth events: looked at again when one of those arrives.
CREATE TABLE missing_auth_events (
  event_id    TEXT NOT NULL,
  waiting_nid INTEGER NOT NULL,
  PRIMARY KEY (event_id, waiting_nid)
) STRICT, WITHOUT ROWID;

CREATE INDEX missing_auth_events_by_waiting ON missing_auth_events (waiting_nid);

-- Redactions that are held back: their target is not known yet.
CREATE TABLE held_redactions (
  target_event_id TEXT NOT NULL,
  redaction_nid   INTEGER NOT NULL,
  PRIMARY KEY (target_event_id, redaction_nid)
) STRICT, WITHOUT ROWID;

CREATE INDEX held_redactions_by_redaction ON held_redactions (redaction_nid);

-- What happened to a whole room without an event: this server left it, its history was purged, it was deleted. The room itself may be gone.
CREATE TABLE room_changes (
  position INTEGER PRIMARY KEY,
  room_id  TEXT NOT NULL,
  change   TEXT NOT NULL
) STRICT;

-- Events that accepted ones follow, directly or through hidden ones, and that were not accepted by then: not known, or hidden. Should they
-- be accepted later, something newer follows them already.
CREATE TABLE followed_events (
  event_id     TEXT NOT NULL,
  follower_nid INTEGER NOT NULL,
  PRIMARY KEY (event_id, follower_nid)
) STRICT, WITHOUT ROWID;

CREATE INDEX followed_events_by_follower ON followed_events (follower_nid);
