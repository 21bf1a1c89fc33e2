import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A server that did not take what it was sent, or did not answer. Times are milliseconds since the Unix epoch. */
export interface FailingDestination {
  readonly destination: string;
  readonly failingSinceTs: number;
  readonly retryTs: number;
  /** In a row. */
  readonly failures: number;
  /** 1: it answers, and refuses what it is sent. */
  readonly isAnswering: 0 | 1;
  readonly lastError: string;
}

/** What is stored of a server. */
export interface StoredDestination {
  readonly destination: string;
  readonly eventsSentUpTo: number;
  readonly lastHeardTs: number | null;
}

/** An event that waits for a server. */
export interface UnsentEvent {
  readonly roomId: string;
  readonly eventNid: number;
}

type Page = { readonly after: string; readonly limit: number };

const FAILING_COLUMNS = `
  destination, failing_since_ts AS failingSinceTs, retry_ts AS retryTs, failures, is_answering AS isAnswering,
  last_error AS lastError`;

export const failingDestinations = defineQuery<Page, FailingDestination>({
  name: 'federation-sender.read-failing',
  sql: `
    SELECT ${FAILING_COLUMNS} FROM failing_destinations
     WHERE destination > :after ORDER BY destination LIMIT :limit`,
});

export const unreachableUntil = defineQuery<{ readonly destination: string }, { readonly retryTs: number }>({
  name: 'federation-sender.find-retry',
  sql: `
    SELECT retry_ts AS retryTs FROM failing_destinations
     WHERE destination = :destination AND is_answering = 0`,
});

/** Until when a server counts as out of reach, milliseconds since the Unix epoch; null when it does not. */
export async function findRetryTs(db: ReadDb, destination: string): Promise<number | null> {
  return (await db.find(unreachableUntil, { destination }))?.retryTs ?? null;
}

export const storedDestinations = defineQuery<Page, StoredDestination>({
  name: 'federation-sender.read-destinations',
  sql: `
    SELECT destination, events_sent_up_to AS eventsSentUpTo, last_heard_ts AS lastHeardTs
      FROM destinations WHERE destination > :after ORDER BY destination LIMIT :limit`,
});

export const storedDestination = defineQuery<{ readonly destination: string }, StoredDestination>({
  name: 'federation-sender.find-destination',
  sql: `
    SELECT destination, events_sent_up_to AS eventsSentUpTo, last_heard_ts AS lastHeardTs
      FROM destinations WHERE destination = :destination`,
});

/** What is stored of a server; undefined when it was never sent anything. */
export function findDestination(db: ReadDb, destination: string): Promise<StoredDestination | undefined> {
  return db.find(storedDestination, { destination });
}

export const destinationsWithEvents = defineQuery<Page, { readonly destination: string }>({
  name: 'federation-sender.read-destinations-with-events',
  sql: `
    SELECT DISTINCT destination FROM unsent_events
     WHERE destination > :after ORDER BY destination LIMIT :limit`,
});

export const unsentEvents = defineQuery<
  { readonly destination: string; readonly limit: number },
  UnsentEvent
>({
  name: 'federation-sender.read-unsent',
  sql: `
    SELECT room_id AS roomId, event_nid AS eventNid FROM unsent_events
     WHERE destination = :destination ORDER BY event_nid LIMIT :limit`,
});

/** Events that wait for a server, the oldest first: of each room those that no other one leads back to. */
export function readUnsentEvents(db: ReadDb, destination: string, limit: number): Promise<UnsentEvent[]> {
  return db.all(unsentEvents, { destination, limit });
}

/** A room of which something waits for a server. */
export interface UnsentRoom {
  readonly destination: string;
  readonly roomId: string;
}

export const unsentEventsOfRooms = defineQuery<{ readonly rooms: string }, UnsentRoom & UnsentEvent>({
  name: 'federation-sender.read-unsent-of-rooms',
  sql: `
    SELECT u.destination, u.room_id AS roomId, u.event_nid AS eventNid
      FROM json_each(:rooms) wanted
     CROSS JOIN unsent_events u ON u.destination = json_extract(wanted.value, '$.destination')
                               AND u.room_id = json_extract(wanted.value, '$.roomId')`,
  scans: ['wanted'],
});

/** The events that are noted for some servers in some rooms. */
export async function readUnsentOfRooms(
  db: ReadDb,
  rooms: readonly UnsentRoom[],
): Promise<readonly (UnsentRoom & UnsentEvent)[]> {
  return rooms.length === 0 ? [] : db.all(unsentEventsOfRooms, { rooms: JSON.stringify(rooms) });
}

export const sentDeviceList = defineQuery<
  { readonly destination: string; readonly userId: string },
  { readonly sentUpTo: number }
>({
  name: 'federation-sender.find-sent-device-list',
  sql: `
    SELECT sent_up_to AS sentUpTo FROM sent_device_lists
     WHERE destination = :destination AND user_id = :userId`,
});

/**
 * The last `stream_id` that a server was sent of a user's devices: what the next `m.device_list_update` names as its `prev_id`, and what
 * an answer to `GET /_matrix/federation/v1/user/devices/{userId}` of that server is to give. Undefined when it was sent none.
 */
export async function findSentDeviceList(
  db: ReadDb,
  destination: string,
  userId: string,
): Promise<number | undefined> {
  return (await db.find(sentDeviceList, { destination, userId }))?.sentUpTo;
}

export const progress = defineQuery<Record<string, never>, { readonly eventsUpTo: number }>({
  name: 'federation-sender.find-progress',
  sql: 'SELECT events_up_to AS eventsUpTo FROM federation_progress WHERE only_row = 1',
});

/** Up to where all events of ours are sent, or noted as unsent; undefined before the first start. */
export async function findProgress(db: ReadDb): Promise<number | undefined> {
  return (await db.find(progress, {}))?.eventsUpTo;
}

/** Gives all names of a list that is read in pages. */
export async function readAllPages<Row extends { readonly destination: string }>(
  read: (page: Page) => Promise<Row[]>,
  limit: number,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (let after: string | undefined = ''; after !== undefined;) {
    // Each page begins where the one before ended.
    const page: Row[] = await read({ after, limit });
    rows.push(...page);
    after = page.length < limit ? undefined : page.at(-1)?.destination;
  }
  return rows;
}
