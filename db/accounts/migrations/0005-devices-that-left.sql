-- Devices that are gone, until every owner has let go of what it held of them: so that a crash in between leaves nothing behind.
CREATE TABLE departed_devices (
  user_id   TEXT NOT NULL,
  device_id TEXT NOT NULL,
  PRIMARY KEY (user_id, device_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER devices_depart AFTER DELETE ON devices BEGIN
  INSERT OR IGNORE INTO departed_devices (user_id, device_id) VALUES (old.user_id, old.device_id);
END;
