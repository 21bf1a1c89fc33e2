-- In which order events were decided about in rooms whose state is not whole: with the whole state they are decided about again, in this order.
CREATE TABLE partial_placements (
  -- Of the events stream: at which it was decided.
  position   INTEGER PRIMARY KEY,
  room_nid   INTEGER NOT NULL,
  event_nid  INTEGER NOT NULL,
  -- 1: the state before it was given by another server, whole, and does not follow from the events before it.
  is_given   INTEGER NOT NULL,
  -- 1: it was rejected for want of auth events.
  is_waiting INTEGER NOT NULL
) STRICT;

CREATE INDEX partial_placements_by_room ON partial_placements (room_nid, position);
CREATE INDEX partial_placements_by_event ON partial_placements (event_nid);

-- States that are made for a room that is about to be whole: no event has them until it is.
CREATE TABLE prepared_states (
  room_nid    INTEGER NOT NULL,
  state_group INTEGER NOT NULL,
  PRIMARY KEY (room_nid, state_group)
) STRICT, WITHOUT ROWID;
