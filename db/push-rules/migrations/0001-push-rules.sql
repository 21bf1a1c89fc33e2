-- What a user changed of the default rules; the user's own rules have a `rule`.
CREATE TABLE push_rules (
  user_id   TEXT NOT NULL,
  kind      TEXT NOT NULL,
  rule_id   TEXT NOT NULL,
  -- The user's own rule, JSON; null for a default rule that was only changed.
  rule      TEXT,
  -- Null where the default holds.
  enabled   INTEGER,
  actions   TEXT,
  -- Order among the user's own rules of one kind: lowest first.
  priority  INTEGER NOT NULL DEFAULT 0,
  stream_id INTEGER NOT NULL,
  PRIMARY KEY (user_id, kind, rule_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX push_rules_by_stream_id ON push_rules (stream_id);
