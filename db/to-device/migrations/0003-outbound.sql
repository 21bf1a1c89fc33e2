-- What waits for devices of other servers' users: one EDU each, in the order in which it was sent. Positions of the to-device stream.
CREATE TABLE to_device_outbound (
  stream_id   INTEGER PRIMARY KEY,
  destination TEXT NOT NULL,
  -- JSON: the content of an m.direct_to_device.
  content     TEXT NOT NULL
) STRICT;

CREATE INDEX to_device_outbound_by_destination ON to_device_outbound (destination, stream_id);
