-- What accepted events of timelines say that they relate to. A redacted event relates to nothing. The parent may come later, or never, or be of
-- another room. Clustered by parent in the order of /messages, so that what relates to an event is read from one place.
CREATE TABLE event_relations (
  parent_id      TEXT NOT NULL,
  -- Of the child.
  depth          INTEGER NOT NULL,
  -- The child's place in the timeline.
  child_ordering INTEGER NOT NULL,
  child_nid      INTEGER NOT NULL,
  room_nid       INTEGER NOT NULL,
  rel_type       TEXT NOT NULL,
  type           TEXT NOT NULL,
  sender         TEXT NOT NULL,
  -- Of annotations.
  annotation_key TEXT,
  PRIMARY KEY (parent_id, depth, child_ordering)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX event_relations_by_child ON event_relations (child_nid);

-- Whether a user has annotated an event so already.
CREATE INDEX event_relations_by_annotation ON event_relations (parent_id, sender, type, annotation_key)
 WHERE rel_type = 'm.annotation';

-- The threads of a room, and where each ends.
CREATE INDEX event_relations_by_thread ON event_relations (room_nid, parent_id, depth, child_ordering)
 WHERE rel_type = 'm.thread';

INSERT INTO event_relations (parent_id, depth, child_ordering, child_nid, room_nid, rel_type, type, sender, annotation_key)
SELECT json_extract(e.pdu, '$.content."m.relates_to".event_id'), e.depth, e.stream_ordering, e.event_nid, e.room_nid,
       json_extract(e.pdu, '$.content."m.relates_to".rel_type'), json_extract(e.pdu, '$.type'), json_extract(e.pdu, '$.sender'),
       CASE WHEN json_type(e.pdu, '$.content."m.relates_to".key') = 'text'
            THEN json_extract(e.pdu, '$.content."m.relates_to".key') END
  FROM events e
 WHERE e.stream_ordering IS NOT NULL AND e.rejection IS NULL AND e.redacted_by IS NULL
   AND json_type(e.pdu, '$.content."m.relates_to".event_id') = 'text'
   AND json_type(e.pdu, '$.content."m.relates_to".rel_type') = 'text';
