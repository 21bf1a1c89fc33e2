CREATE TABLE device_list_changes (
  stream_id INTEGER PRIMARY KEY,
  user_id   TEXT NOT NULL,
  device_id TEXT NOT NULL
) STRICT;

CREATE INDEX device_list_changes_by_user ON device_list_changes (user_id, stream_id);

-- What other servers are still to be told: positions of the same stream.
CREATE TABLE device_list_outbound (
  stream_id   INTEGER PRIMARY KEY,
  destination TEXT NOT NULL,
  user_id     TEXT NOT NULL,
  device_id   TEXT NOT NULL
) STRICT;

CREATE INDEX device_list_outbound_by_destination ON device_list_outbound (destination, stream_id);
