-- The account data of a room, for when it is deleted.
CREATE INDEX account_data_by_room ON account_data (room_id, user_id) WHERE room_id <> '';
