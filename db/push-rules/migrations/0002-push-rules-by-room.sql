-- Rules that are named after a room, for when it is deleted.
CREATE INDEX push_rules_by_room ON push_rules (rule_id) WHERE kind IN ('override', 'room', 'underride');
