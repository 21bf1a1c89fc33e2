-- Readers ask only whose devices changed since: the newest change of a user says it for any token, however old.
DELETE FROM device_list_changes
 WHERE stream_id < (SELECT max(c.stream_id) FROM device_list_changes c WHERE c.user_id = device_list_changes.user_id);

DELETE FROM device_list_outbound
 WHERE stream_id < (SELECT max(c.stream_id) FROM device_list_outbound c
                     WHERE c.user_id = device_list_outbound.user_id
                       AND c.device_id = device_list_outbound.device_id
                       AND c.destination = device_list_outbound.destination);

CREATE INDEX device_list_outbound_by_device ON device_list_outbound (user_id, device_id, stream_id);
