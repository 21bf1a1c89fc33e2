-- The changes of one state entry in order, over all rooms: what a user's memberships were at a position, and which changed since.
-- Messages are not in it, so that sending one does not pay for it.
CREATE INDEX events_by_state_key ON events (state_key_nid, stream_ordering)
 WHERE state_key_nid IS NOT NULL AND stream_ordering IS NOT NULL;
