-- Events that are sent later, and for a while what became of them. MSC4140.
CREATE TABLE delayed_events (
  -- In the order in which they were scheduled.
  delay_nid       INTEGER PRIMARY KEY AUTOINCREMENT,
  -- Who knows it may send, cancel or restart the event.
  delay_id        TEXT NOT NULL UNIQUE,
  user_id         TEXT NOT NULL,
  -- The client's transaction, as far as there is one.
  device_id       TEXT NOT NULL,
  txn_path        TEXT,
  txn_id          TEXT,
  room_id         TEXT NOT NULL,
  type            TEXT NOT NULL,
  -- Null for message events.
  state_key       TEXT,
  -- JSON.
  content         TEXT NOT NULL,
  -- For how long it is sticky once it is sent, in milliseconds; null: not at all.
  sticky_ms       INTEGER,
  delay_ms        INTEGER NOT NULL,
  -- When it was scheduled or last restarted.
  since_ts        INTEGER NOT NULL,
  -- When it is to be sent; null for what is finalised.
  due_ts          INTEGER,
  -- Where the events stream stood when it was scheduled: state that is newer may make it pointless.
  events_position INTEGER NOT NULL,
  finalised_ts    INTEGER,
  outcome         TEXT CHECK (outcome IN ('sent', 'cancelled', 'failed')),
  -- Whether somebody wanted it so, or its time had come.
  reason          TEXT CHECK (reason IN ('action', 'delay')),
  event_id        TEXT,
  -- JSON: the body of a refusal.
  error           TEXT,
  CHECK ((due_ts IS NULL) = (finalised_ts IS NOT NULL))
) STRICT;

CREATE INDEX delayed_events_by_due ON delayed_events (due_ts, delay_nid) WHERE due_ts IS NOT NULL;
CREATE INDEX delayed_events_by_user ON delayed_events (user_id, due_ts, delay_nid);
CREATE INDEX delayed_events_by_end ON delayed_events (user_id, finalised_ts, delay_nid) WHERE finalised_ts IS NOT NULL;
CREATE INDEX delayed_events_by_age ON delayed_events (finalised_ts) WHERE finalised_ts IS NOT NULL;
CREATE INDEX delayed_events_by_place ON delayed_events (room_id, type, state_key);
CREATE INDEX delayed_events_by_event ON delayed_events (event_id) WHERE event_id IS NOT NULL;
CREATE UNIQUE INDEX delayed_events_by_transaction ON delayed_events (user_id, device_id, txn_path, txn_id) WHERE txn_id IS NOT NULL;
