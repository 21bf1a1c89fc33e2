-- The current state as of a position, where it is not the state after the last event of the timeline: a room with several forward extremities.
CREATE TABLE resolved_states (
  position    INTEGER PRIMARY KEY,
  room_nid    INTEGER NOT NULL,
  state_group INTEGER NOT NULL
) STRICT;

CREATE INDEX resolved_states_by_room ON resolved_states (room_nid, position);
