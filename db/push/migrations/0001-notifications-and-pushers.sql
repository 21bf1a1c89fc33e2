-- Of what users are notified, or were: kept for a while. An event is named by its place on the events stream.
CREATE TABLE notifications (
  user_nid     INTEGER NOT NULL,
  place        INTEGER NOT NULL,
  room_nid     INTEGER NOT NULL,
  -- The root of its thread, or 'main'.
  thread_id    TEXT NOT NULL,
  is_highlight INTEGER NOT NULL,
  -- JSON; null for the plain notification, ["notify"].
  actions      TEXT,
  -- When it was found out, in milliseconds since the Unix epoch.
  ts           INTEGER NOT NULL,
  PRIMARY KEY (user_nid, place)
) STRICT, WITHOUT ROWID;

-- For counts; the room comes first, so that it can be deleted.
CREATE INDEX notifications_by_room ON notifications (room_nid, user_nid, place, thread_id, is_highlight);

-- The newest event of each local user's own in a thread: whoever writes there has read what is before.
CREATE TABLE own_events (
  room_nid  INTEGER NOT NULL,
  user_nid  INTEGER NOT NULL,
  thread_id TEXT NOT NULL,
  place     INTEGER NOT NULL,
  PRIMARY KEY (room_nid, user_nid, thread_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX own_events_by_user ON own_events (user_nid, room_nid);

-- Up to where the events stream is evaluated.
CREATE TABLE push_progress (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  place    INTEGER NOT NULL
) STRICT;

CREATE TABLE pushers (
  user_id             TEXT NOT NULL,
  app_id              TEXT NOT NULL,
  pushkey             TEXT NOT NULL,
  kind                TEXT NOT NULL,
  app_display_name    TEXT NOT NULL,
  device_display_name TEXT NOT NULL,
  profile_tag         TEXT,
  lang                TEXT NOT NULL,
  -- JSON, as the client gave it.
  data                TEXT NOT NULL,
  is_enabled          INTEGER NOT NULL,
  -- The device that set it: it goes with that one.
  device_id           TEXT NOT NULL,
  set_ts              INTEGER NOT NULL,
  -- Up to where of the events stream its gateway knows.
  place               INTEGER NOT NULL,
  -- The unread count that its gateway was told last; null: none.
  badge               INTEGER,
  -- When its gateway was last reached, and since when it is not; in milliseconds since the Unix epoch.
  reached_ts          INTEGER,
  failing_since_ts    INTEGER,
  PRIMARY KEY (user_id, app_id, pushkey)
) STRICT, WITHOUT ROWID;

CREATE INDEX pushers_by_key ON pushers (app_id, pushkey);

-- The users whose pushers have something to look at: the latest position of each.
CREATE TABLE push_changes (
  user_id   TEXT PRIMARY KEY,
  stream_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX push_changes_by_stream_id ON push_changes (stream_id);
