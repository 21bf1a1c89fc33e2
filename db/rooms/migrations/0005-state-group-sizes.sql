-- Entries of the whole state. Null: written before sizes were kept.
ALTER TABLE state_groups ADD COLUMN entries INTEGER;

-- Changes between the checkpoint and this group; 0 for a checkpoint. Null: written before sizes were kept.
ALTER TABLE state_groups ADD COLUMN deltas INTEGER;

-- The ids of state events without their texts: a state of 10,000 entries is read from some 200 pages instead of some 3,000. Messages are
-- not in it, so that sending one does not pay for it.
CREATE INDEX state_event_ids ON events (event_nid, state_key_nid, event_id) WHERE state_key_nid IS NOT NULL;
