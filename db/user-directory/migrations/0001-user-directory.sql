-- Users that can be found: those of this server, and those of others that were met in rooms.
CREATE TABLE directory_users (
  directory_nid INTEGER PRIMARY KEY,
  user_id       TEXT NOT NULL UNIQUE,
  display_name  TEXT,
  avatar_url    TEXT
) STRICT;

-- The words of user ids and display names, as searches compare them.
CREATE TABLE directory_words (
  word          TEXT NOT NULL,
  directory_nid INTEGER NOT NULL,
  PRIMARY KEY (word, directory_nid)
) STRICT, WITHOUT ROWID;

CREATE INDEX directory_words_by_user ON directory_words (directory_nid, word);

-- Who is in which of the rooms that are open to everybody: these users are found by everybody.
CREATE TABLE directory_places (
  directory_nid INTEGER NOT NULL,
  room_id       TEXT NOT NULL,
  PRIMARY KEY (directory_nid, room_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX directory_places_by_room ON directory_places (room_id);

-- How far the directory follows the events stream; while it is built anew, up to which room that has come.
CREATE TABLE directory_progress (
  only_row      INTEGER PRIMARY KEY CHECK (only_row = 1),
  events_up_to  INTEGER NOT NULL,
  -- Null: it is built.
  rebuilt_up_to INTEGER
) STRICT;
