-- One row per mxc URI. Its file is named by the hash of its content, so that rows with the same content share one file.
CREATE TABLE media (
  -- The server name of the mxc URI: our own for what was uploaded here.
  origin         TEXT NOT NULL,
  media_id       TEXT NOT NULL,
  -- Hex SHA-256 of the content; null while it is awaited.
  sha256         TEXT,
  -- Null while the content is awaited.
  size_bytes     INTEGER,
  -- As the uploader said it.
  content_type   TEXT,
  -- What the first bytes look like; null when nobody knows.
  sniffed_type   TEXT,
  -- Null when the uploader gave none.
  file_name      TEXT,
  -- Who uploaded it or is to upload it; null for pictures of URL previews.
  uploader       TEXT,
  created_ts     INTEGER NOT NULL,
  -- Until when the content must have come; null once it is there.
  expires_ts     INTEGER,
  -- When it was last asked for, about.
  last_used_ts   INTEGER,
  -- The administrator who took it out of circulation, or '' when that was done for its content; null while it is served.
  quarantined_by TEXT,
  PRIMARY KEY (origin, media_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX media_by_sha256 ON media (sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX media_by_uploader ON media (uploader, created_ts) WHERE uploader IS NOT NULL;
CREATE INDEX media_awaited ON media (uploader, expires_ts) WHERE expires_ts IS NOT NULL;
CREATE INDEX media_by_expiry ON media (expires_ts) WHERE expires_ts IS NOT NULL;

-- Answers of URL previews, until they expire.
CREATE TABLE url_previews (
  url        TEXT NOT NULL,
  -- The languages that were asked for, as the request had them.
  language   TEXT NOT NULL,
  -- The JSON of the answer.
  answer     TEXT NOT NULL,
  fetched_ts INTEGER NOT NULL,
  expires_ts INTEGER NOT NULL,
  PRIMARY KEY (url, language)
) STRICT, WITHOUT ROWID;

CREATE INDEX url_previews_by_expiry ON url_previews (expires_ts);
