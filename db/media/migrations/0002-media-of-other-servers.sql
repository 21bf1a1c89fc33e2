-- How many bytes content of another server takes; null for our own. What was asked for longest ago makes room first.
ALTER TABLE media ADD COLUMN remote_bytes INTEGER;

CREATE INDEX media_of_others_by_use ON media (last_used_ts, remote_bytes) WHERE remote_bytes IS NOT NULL;
