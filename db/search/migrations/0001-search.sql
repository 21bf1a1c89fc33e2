-- The words of events, each under its number. The room is a word of its own, so that a search within rooms looks at nothing else. The texts
-- themselves are not kept: they stand in the events.
CREATE VIRTUAL TABLE search_words USING fts5(
  room, body, name, topic,
  content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);

-- What is in the index, by room: a deleted room has no other trace of what was in it.
CREATE TABLE search_entries (
  event_nid INTEGER PRIMARY KEY,
  room_nid  INTEGER NOT NULL
) STRICT;

CREATE INDEX search_entries_by_room ON search_entries (room_nid, event_nid);

-- The rooms that have entries, under the names by which the events stream tells of them.
CREATE TABLE search_rooms (
  room_id  TEXT PRIMARY KEY,
  room_nid INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Up to where the events stream is indexed; written with what is indexed.
CREATE TABLE search_progress (
  only_row      INTEGER PRIMARY KEY CHECK (only_row = 1),
  indexed_up_to INTEGER NOT NULL
) STRICT;

INSERT INTO search_progress (only_row, indexed_up_to) VALUES (1, 0);
