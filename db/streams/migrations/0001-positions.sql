-- The high-water mark of every stream, written in the transaction that writes its rows.
-- A backward mark is negative and counts down.
CREATE TABLE stream_positions (
  stream    TEXT NOT NULL,
  writer    TEXT NOT NULL,
  direction TEXT NOT NULL CHECK (direction IN ('forward', 'backward')),
  position  INTEGER NOT NULL,
  PRIMARY KEY (stream, writer, direction)
) STRICT, WITHOUT ROWID;
