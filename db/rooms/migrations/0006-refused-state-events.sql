-- The few state events that were rejected or soft-failed, by their place: who asks why a state is what it is wants to see them too.
CREATE INDEX events_by_refused_place ON events (room_nid, state_key_nid)
 WHERE rejection IS NOT NULL AND state_key_nid IS NOT NULL;
