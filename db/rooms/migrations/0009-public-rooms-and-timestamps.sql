-- The rooms of the public directory, without looking at the others.
CREATE INDEX rooms_in_directory ON rooms (room_id) WHERE is_public = 1;

-- What happened in a room at a time of day.
CREATE INDEX events_by_time ON events (room_nid, origin_server_ts, stream_ordering) WHERE stream_ordering IS NOT NULL;
