-- When the keys of a server were needed last: when there are too many, those go that were needed longest ago, and before those all that no event
-- has ever needed, for anybody can make us fetch such.
CREATE TABLE server_key_uses (
  server_name  TEXT PRIMARY KEY,
  -- For an event; 0: never.
  event_use_ts INTEGER NOT NULL,
  -- For anything.
  use_ts       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX server_key_uses_by_use ON server_key_uses (event_use_ts, use_ts, server_name);

-- What is here already is taken for used for events when it was fetched.
INSERT INTO server_key_uses (server_name, event_use_ts, use_ts)
SELECT k.server_name, coalesce(max(d.fetched_ts), 1), coalesce(max(d.fetched_ts), 1)
  FROM (SELECT server_name FROM server_keys UNION SELECT server_name FROM server_key_documents) k
  LEFT JOIN server_key_documents d ON d.server_name = k.server_name
 GROUP BY k.server_name;
