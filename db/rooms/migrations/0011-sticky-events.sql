-- Messages that are told to clients for a while whatever else they get, and whatever the history visibility. Gone when redacted, purged or
-- expired. MSC4354.
CREATE TABLE sticky_events (
  event_nid  INTEGER PRIMARY KEY,
  room_nid   INTEGER NOT NULL,
  -- Its place in the timeline; null while it is hidden: soft-failed, for example.
  position   INTEGER,
  -- In milliseconds since the Unix epoch.
  expires_ts INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX sticky_events_by_position ON sticky_events (position) WHERE position IS NOT NULL;
CREATE INDEX sticky_events_by_room ON sticky_events (room_nid, position) WHERE position IS NOT NULL;
CREATE INDEX sticky_events_hidden ON sticky_events (room_nid, event_nid) WHERE position IS NULL;
CREATE INDEX sticky_events_by_expiry ON sticky_events (expires_ts);
