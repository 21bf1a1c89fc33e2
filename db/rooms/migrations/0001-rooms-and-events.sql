CREATE TABLE rooms (
  room_nid     INTEGER PRIMARY KEY,
  room_id      TEXT NOT NULL UNIQUE,
  room_version TEXT NOT NULL,
  -- The server that made it is not in a version 12 room id.
  creator      TEXT NOT NULL,
  is_public    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TRIGGER rooms_version_is_immutable
BEFORE UPDATE OF room_version ON rooms
WHEN new.room_version <> old.room_version
BEGIN
  SELECT RAISE(ABORT, 'a room never changes its version');
END;

-- event_nid is the position at which the event was first stored. stream_ordering is its place in the timeline: the same
-- number, or null while the event is an outlier or rejected (known, but not part of the timeline).
CREATE TABLE events (
  event_nid        INTEGER PRIMARY KEY,
  event_id         TEXT NOT NULL UNIQUE,
  room_nid         INTEGER NOT NULL,
  stream_ordering  INTEGER,
  depth            INTEGER NOT NULL,
  -- Null for message events.
  state_key_nid    INTEGER,
  -- The state after this event; null for outliers.
  state_group      INTEGER,
  -- The redaction that was applied to it.
  redacted_by      INTEGER,
  -- 'rejected' or 'soft-failed', with the reason; null for an accepted event.
  rejection        TEXT,
  origin_server_ts INTEGER NOT NULL,
  -- The event as it was signed, JSON.
  pdu              TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX events_by_stream_ordering ON events (stream_ordering) WHERE stream_ordering IS NOT NULL;
CREATE INDEX events_by_timeline ON events (room_nid, stream_ordering) WHERE stream_ordering IS NOT NULL;
CREATE INDEX events_by_topology ON events (room_nid, depth, stream_ordering) WHERE stream_ordering IS NOT NULL;

-- The few state events among many messages, for what changed between two positions.
CREATE INDEX events_by_state ON events (room_nid, stream_ordering)
  WHERE state_key_nid IS NOT NULL AND stream_ordering IS NOT NULL;

CREATE TABLE event_transactions (
  user_nid  INTEGER NOT NULL,
  device_id TEXT NOT NULL,
  path      TEXT NOT NULL,
  txn_id    TEXT NOT NULL,
  event_nid INTEGER NOT NULL,
  PRIMARY KEY (user_nid, device_id, path, txn_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX event_transactions_by_event ON event_transactions (event_nid);

CREATE TABLE forward_extremities (
  room_nid  INTEGER NOT NULL,
  event_nid INTEGER NOT NULL,
  PRIMARY KEY (room_nid, event_nid)
) STRICT, WITHOUT ROWID;

-- A state group is its parent plus its entries; a group without a parent is a checkpoint and holds everything.
CREATE TABLE state_groups (
  state_group INTEGER PRIMARY KEY,
  room_nid    INTEGER NOT NULL,
  parent      INTEGER
) STRICT;

CREATE TABLE state_group_entries (
  state_group   INTEGER NOT NULL,
  state_key_nid INTEGER NOT NULL,
  -- Null removes the entry of the parent.
  event_nid     INTEGER,
  PRIMARY KEY (state_group, state_key_nid)
) STRICT, WITHOUT ROWID;

CREATE TABLE current_state (
  room_nid      INTEGER NOT NULL,
  state_key_nid INTEGER NOT NULL,
  event_nid     INTEGER NOT NULL,
  -- Of member events.
  membership    TEXT,
  PRIMARY KEY (room_nid, state_key_nid)
) STRICT, WITHOUT ROWID;

-- With event_nid, so that the members who came first are found without reading the others.
CREATE INDEX current_state_by_membership ON current_state (room_nid, membership, event_nid) WHERE membership IS NOT NULL;

-- Changes of current state that no event of the timeline makes at its own position (state resolution, purge).
CREATE TABLE state_changes (
  position      INTEGER PRIMARY KEY,
  room_nid      INTEGER NOT NULL,
  state_key_nid INTEGER NOT NULL,
  event_nid     INTEGER
) STRICT;

CREATE INDEX state_changes_by_room ON state_changes (room_nid, position);

-- The memberships of local users; they stay when this server has left the room.
CREATE TABLE local_memberships (
  user_nid     INTEGER NOT NULL,
  room_nid     INTEGER NOT NULL,
  membership   TEXT NOT NULL,
  event_nid    INTEGER NOT NULL,
  -- Of the events stream: when this membership began.
  position     INTEGER NOT NULL,
  sender       TEXT NOT NULL,
  is_forgotten INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (user_nid, room_nid)
) STRICT, WITHOUT ROWID;

CREATE INDEX local_memberships_by_room ON local_memberships (room_nid, membership);

CREATE TABLE room_aliases (
  alias    TEXT PRIMARY KEY,
  room_nid INTEGER NOT NULL,
  creator  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX room_aliases_by_room ON room_aliases (room_nid);
