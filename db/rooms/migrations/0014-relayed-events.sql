-- 1: an event of another server that came through this one, which has to send it on to the others of the room. Written with the event, so that a
-- crash in between loses nothing.
ALTER TABLE events ADD COLUMN is_relayed INTEGER;
