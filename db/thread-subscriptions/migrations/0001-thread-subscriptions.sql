-- Threads that users have subscribed to, and those that they were subscribed to before.
CREATE TABLE thread_subscriptions (
  user_id         TEXT NOT NULL,
  room_id         TEXT NOT NULL,
  -- The event that the thread follows.
  root_id         TEXT NOT NULL,
  is_subscribed   INTEGER NOT NULL,
  -- A client subscribed for its user, who was mentioned, say.
  is_automatic    INTEGER NOT NULL,
  -- When the user unsubscribed last, on the events stream: what came up to there makes no client subscribe again. Null: never.
  unsubscribed_at INTEGER,
  stream_id       INTEGER NOT NULL,
  PRIMARY KEY (user_id, room_id, root_id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX thread_subscriptions_by_stream_id ON thread_subscriptions (stream_id);
CREATE INDEX thread_subscriptions_by_user ON thread_subscriptions (user_id, stream_id);
-- Who is notified of an event of a thread; and what is there of a room, for when it is deleted.
CREATE INDEX thread_subscriptions_by_thread ON thread_subscriptions (room_id, root_id, is_subscribed, user_id);

-- Users who have ever subscribed to a thread: from then on their push rules know of subscriptions.
CREATE TABLE thread_subscribers (
  user_id TEXT PRIMARY KEY,
  -- The position of the first subscription.
  since   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
