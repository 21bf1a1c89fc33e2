-- What became of one entry without an event, over all rooms: a user's memberships are found by their place.
CREATE INDEX state_changes_by_state_key ON state_changes (state_key_nid, position);

-- Where this server's stays in a room began and ended.
CREATE INDEX room_changes_by_room ON room_changes (room_id, position);
