-- A room's key goes to a thousand devices at once: their messages lie beside each other, where one write puts them, instead of each on a page of
-- its device. Only the entries of the index are spread over devices.
CREATE TABLE to_device_messages_in_order (
  stream_id INTEGER PRIMARY KEY,
  user_id   TEXT NOT NULL,
  device_id TEXT NOT NULL,
  sender    TEXT NOT NULL,
  type      TEXT NOT NULL,
  content   TEXT NOT NULL
) STRICT;

INSERT INTO to_device_messages_in_order (stream_id, user_id, device_id, sender, type, content)
SELECT stream_id, user_id, device_id, sender, type, content FROM to_device_messages ORDER BY stream_id;

DROP TABLE to_device_messages;
ALTER TABLE to_device_messages_in_order RENAME TO to_device_messages;

CREATE INDEX to_device_messages_by_device ON to_device_messages (user_id, device_id, stream_id);
