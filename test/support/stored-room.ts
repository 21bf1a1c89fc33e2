import { openWriteConnection, type SqliteConnection } from '../../db/kit/sqlite.ts';
import type { JsonObject } from '../../src/kit/json.ts';

/** An event to be put into the database as it is: nobody has authorised, hashed or signed it. */
export interface StoredRoomEvent {
  readonly eventId: string;
  readonly type: string;
  /** Absent for message events. */
  readonly stateKey?: string;
  readonly sender: string;
  readonly content: JsonObject;
  readonly depth: number;
  readonly prevEvents: readonly string[];
  /** Its place on the events stream. */
  readonly position: number;
  /** It stands in no timeline. */
  readonly isOutlier?: boolean;
  readonly rejection?: string;
  readonly receivedFrom?: string;
  readonly stateGroup?: number;
  /** Beside the content, whatever the room version says of it. */
  readonly redacts?: string;
}

/** Writes rows of one room straight into the database of a test, as no actor would, while nobody else writes. */
export interface StoredRoom {
  addEvent(event: StoredRoomEvent): void;
  /** A state group that differs from its parent in these entries: type, state key, event id. */
  addGroup(
    stateGroup: number,
    parent: number | null,
    entries: readonly (readonly [string, string, string])[],
  ): void;
  /** Current state changed without an event; a null id removes the entry. */
  addStateChange(position: number, type: string, stateKey: string, eventId: string | null): void;
  setCurrentState(entries: readonly (readonly [string, string, string])[]): void;
  setLocalMembership(userId: string, membership: string, eventId: string, position: number): void;
  /** An unthreaded `m.read` receipt. */
  addReceipt(userId: string, eventId: string, position: number): void;
  /** The event gets the redaction, as if it had been applied. */
  redact(eventId: string, redactionId: string): void;
  close(): void;
}

interface Interning {
  stateKey(type: string, stateKey: string): number;
  user(userId: string): number;
  event(eventId: string): number;
}

function createInterning(db: SqliteConnection): Interning {
  const nid = (sql: string, ...params: readonly unknown[]): number =>
    (db.prepare(sql).pluck().get(params) ?? 0) as number;
  return {
    stateKey(type, stateKey) {
      db.prepare('INSERT OR IGNORE INTO state_keys (type, state_key) VALUES (?, ?)').run([type, stateKey]);
      return nid('SELECT state_key_nid FROM state_keys WHERE type = ? AND state_key = ?', type, stateKey);
    },
    user(userId) {
      db.prepare('INSERT OR IGNORE INTO user_ids (user_id) VALUES (?)').run([userId]);
      return nid('SELECT user_nid FROM user_ids WHERE user_id = ?', userId);
    },
    event: (eventId) => nid('SELECT event_nid FROM events WHERE event_id = ?', eventId),
  };
}

function pduOf(roomId: string, event: StoredRoomEvent): string {
  const { type, stateKey, sender, content, depth, prevEvents, position } = event;
  const state = stateKey === undefined ? {} : { state_key: stateKey };
  const top = event.redacts === undefined ? {} : { redacts: event.redacts };
  const envelope = { auth_events: [], hashes: { sha256: 'x' }, signatures: {}, origin_server_ts: position };
  return JSON.stringify({
    ...envelope,
    room_id: roomId,
    type,
    ...state,
    ...top,
    sender,
    content,
    depth,
    prev_events: prevEvents,
  });
}

/**
 * Opens a room for writing; it is made when it does not exist. Close it at the end.
 *
 * @param path of the database file
 */
export function openStoredRoom(
  path: string,
  roomId: string,
  creator: string,
  roomVersion = '10',
): StoredRoom {
  const db = openWriteConnection(path);
  const intern = createInterning(db);
  const run = (sql: string, ...params: readonly unknown[]): void => void db.prepare(sql).run(params);
  run(
    `INSERT OR IGNORE INTO rooms (room_nid, room_id, room_version, creator)
     VALUES ((SELECT coalesce(max(room_nid), 0) + 1000 FROM rooms), ?, ?, ?)`,
    roomId,
    roomVersion,
    creator,
  );
  const roomNid = db.prepare('SELECT room_nid FROM rooms WHERE room_id = ?').pluck().get([roomId]) as number;
  return {
    addEvent(event) {
      const { eventId, type, stateKey, depth, position, isOutlier, rejection, receivedFrom, stateGroup } =
        event;
      run(
        `INSERT INTO events (event_nid, event_id, room_nid, stream_ordering, depth, state_key_nid, state_group, rejection,
                             received_from, origin_server_ts, pdu) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        position,
        eventId,
        roomNid,
        isOutlier === true ? null : position,
        depth,
        stateKey === undefined ? null : intern.stateKey(type, stateKey),
        stateGroup ?? null,
        rejection ?? null,
        receivedFrom ?? null,
        position,
        pduOf(roomId, event),
      );
    },
    addGroup(stateGroup, parent, entries) {
      run(
        `INSERT INTO state_groups (state_group, room_nid, parent, deltas)
         VALUES (?, ?, ?, coalesce((SELECT deltas FROM state_groups WHERE state_group = ?), 0) + ?)`,
        stateGroup,
        roomNid,
        parent,
        parent,
        parent === null ? 0 : entries.length,
      );
      for (const [type, stateKey, eventId] of entries)
        run(
          'INSERT INTO state_group_entries VALUES (?, ?, ?)',
          stateGroup,
          intern.stateKey(type, stateKey),
          intern.event(eventId),
        );
    },
    addStateChange(position, type, stateKey, eventId) {
      const event = eventId === null ? null : intern.event(eventId);
      run(
        'INSERT INTO state_changes (position, room_nid, state_key_nid, event_nid) VALUES (?, ?, ?, ?)',
        position,
        roomNid,
        intern.stateKey(type, stateKey),
        event,
      );
    },
    setCurrentState(entries) {
      run('DELETE FROM current_state WHERE room_nid = ?', roomNid);
      for (const [type, stateKey, eventId] of entries)
        run(
          `INSERT INTO current_state (room_nid, state_key_nid, event_nid, membership)
           SELECT ?, ?, event_nid, iif(? = 'm.room.member', json_extract(pdu, '$.content.membership'), NULL)
             FROM events WHERE event_id = ?`,
          roomNid,
          intern.stateKey(type, stateKey),
          type,
          eventId,
        );
    },
    setLocalMembership(userId, membership, eventId, position) {
      run(
        `INSERT INTO local_memberships (user_nid, room_nid, membership, event_nid, position, sender) VALUES (?, ?, ?, ?, ?, ?)`,
        intern.user(userId),
        roomNid,
        membership,
        intern.event(eventId),
        position,
        userId,
      );
    },
    addReceipt: (userId, eventId, position) =>
      run(
        `INSERT INTO receipts (room_nid, user_nid, type, thread_id, event_id, ts, stream_id) VALUES (?, ?, 'm.read', '', ?, 1, ?)`,
        roomNid,
        intern.user(userId),
        eventId,
        position,
      ),
    redact: (eventId, redactionId) =>
      run('UPDATE events SET redacted_by = ? WHERE event_id = ?', intern.event(redactionId), eventId),
    close: () => db.close(),
  };
}
