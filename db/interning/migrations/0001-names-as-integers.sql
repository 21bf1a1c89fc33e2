-- Long texts that stand in many rows, stored once.
CREATE TABLE user_ids (
  user_nid INTEGER PRIMARY KEY,
  user_id  TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE state_keys (
  state_key_nid INTEGER PRIMARY KEY,
  type          TEXT NOT NULL,
  state_key     TEXT NOT NULL,
  UNIQUE (type, state_key)
) STRICT;
