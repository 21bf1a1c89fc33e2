-- What users have reported to the administrators. One row for each user and thing: who reports it again changes the reason.
CREATE TABLE reports (
  report_id  INTEGER PRIMARY KEY,
  reporter   TEXT NOT NULL,
  kind       TEXT NOT NULL CHECK (kind IN ('room', 'event', 'user')),
  -- The user; '' where it is a room or an event.
  user_id    TEXT NOT NULL,
  -- The room, of an event as well; '' where it is a user.
  room_id    TEXT NOT NULL,
  -- '' where it is no event.
  event_id   TEXT NOT NULL,
  reason     TEXT NOT NULL,
  -- What older clients say of how bad it is, from -100 (worst) to 0; null: nothing.
  score      INTEGER,
  created_ts INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX reports_by_reporter ON reports (reporter, kind, user_id, room_id, event_id);
