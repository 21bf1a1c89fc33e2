-- What accepted events follow and this server does not have, by room: where a room's history can be fetched on.
ALTER TABLE followed_events ADD COLUMN room_nid INTEGER;
UPDATE followed_events SET room_nid = (SELECT room_nid FROM events WHERE event_nid = follower_nid);
CREATE INDEX followed_events_by_room ON followed_events (room_nid, event_id);

-- The rooms that a user has joined, whatever server the user is of.
CREATE INDEX current_state_by_joined_user ON current_state (state_key_nid, room_nid) WHERE membership = 'join';
