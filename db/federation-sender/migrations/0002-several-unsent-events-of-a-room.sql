-- Of each room all events that wait and that no other one waiting there leads back to: what was said before this server left a room and came into it
-- again by another door is on no way back from what it says now.
CREATE TABLE unsent_branches (
  destination TEXT NOT NULL,
  -- Not its number: events outlive the rooms that are deleted.
  room_id     TEXT NOT NULL,
  -- Its position on the events stream.
  event_nid   INTEGER NOT NULL,
  PRIMARY KEY (destination, room_id, event_nid)
) STRICT, WITHOUT ROWID;

INSERT INTO unsent_branches (destination, room_id, event_nid) SELECT destination, room_id, event_nid FROM unsent_events;
DROP TABLE unsent_events;
ALTER TABLE unsent_branches RENAME TO unsent_events;

CREATE INDEX unsent_events_in_order ON unsent_events (destination, event_nid);
