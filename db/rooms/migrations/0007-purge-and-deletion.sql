-- Up to where in a room's timeline events were deleted: who has not come further than this has a gap.
CREATE TABLE purged_histories (
  room_nid INTEGER PRIMARY KEY,
  -- A place that was deleted, so that no table of the stream holds it any more.
  up_to    INTEGER NOT NULL
) STRICT;

-- Rooms whose deletion has begun: nobody finds them any more, and their rows go a few at a time. Gone when the last of those is.
CREATE TABLE deleted_rooms (
  room_nid INTEGER PRIMARY KEY,
  room_id  TEXT NOT NULL UNIQUE
) STRICT;

-- How local users' memberships of deleted rooms ended, for clients that have not been told yet. Old ones are pruned.
CREATE TABLE ended_memberships (
  user_id      TEXT NOT NULL,
  room_id      TEXT NOT NULL,
  -- Of the events stream: when the membership ended.
  position     INTEGER NOT NULL,
  event_id     TEXT NOT NULL,
  room_version TEXT NOT NULL,
  -- The member event, JSON, redacted if it was.
  pdu          TEXT NOT NULL,
  -- When the room was deleted, in milliseconds since the Unix epoch.
  deleted_ts   INTEGER NOT NULL,
  PRIMARY KEY (user_id, room_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX ended_memberships_by_position ON ended_memberships (position);
CREATE INDEX ended_memberships_by_age ON ended_memberships (deleted_ts);

-- Rooms that nobody of this server may come into, whether this server knows them or not.
CREATE TABLE blocked_rooms (
  room_id    TEXT PRIMARY KEY,
  -- The administrator who did it, where that is known.
  user_id    TEXT,
  blocked_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The highest numbers that deleted rows had: a number never names two rooms or two states, for caches and other owners hold them.
CREATE TABLE deleted_numbers (
  only_row    INTEGER PRIMARY KEY CHECK (only_row = 1),
  room_nid    INTEGER NOT NULL,
  state_group INTEGER NOT NULL
) STRICT;

-- What lies outside of a room's timeline: outliers and rejected events.
CREATE INDEX events_outside_of_timeline ON events (room_nid, event_nid) WHERE stream_ordering IS NULL;

-- Few events are redacted: whether a redaction is needed still.
CREATE INDEX events_by_redaction ON events (redacted_by) WHERE redacted_by IS NOT NULL;

CREATE INDEX state_groups_by_room ON state_groups (room_nid, state_group);
