-- Rooms whose state this server does not know whole yet: member events are missing from every state since its join.
CREATE TABLE partial_rooms (
  room_nid      INTEGER PRIMARY KEY,
  join_event_id TEXT NOT NULL,
  -- The server that helped with the join, and those that it named as being in the room: a JSON array.
  joined_via    TEXT NOT NULL,
  servers       TEXT NOT NULL
) STRICT;
