-- Devices that are stored here, encrypted, to take the keys that others send while their user has no device at hand. They stand among the
-- devices of their user, too.
CREATE TABLE dehydrated_devices (
  user_id     TEXT PRIMARY KEY,
  device_id   TEXT NOT NULL,
  -- JSON.
  device_data TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- However a device ends, it is not dehydrated any more; and one that logs in is not, either.
CREATE TRIGGER dehydrated_devices_end AFTER DELETE ON devices BEGIN
  DELETE FROM dehydrated_devices WHERE user_id = old.user_id AND device_id = old.device_id;
END;

CREATE TRIGGER dehydrated_devices_awake AFTER INSERT ON access_tokens BEGIN
  DELETE FROM dehydrated_devices WHERE user_id = new.user_id AND device_id = new.device_id;
END;
