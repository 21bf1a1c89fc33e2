import { setImmediate } from 'node:timers/promises';
import type { ReadDb } from '../../db/kit/read-db.ts';
import { readAuthEdges } from '../../db/rooms/auth-chain-reader.ts';
import { readEvents, type StoredEvent } from '../../db/rooms/event-reader.ts';
import type { Pdu } from '../matrix/events/pdu.ts';
import { redact } from '../matrix/events/redaction.ts';
import { getRoomVersion } from '../matrix/rooms/room-versions.ts';

/** Events that are read at once, before others get their turn. */
const EVENTS_PER_READ = 500;
/** Events of an auth chain that are named; more than any room has. */
const AUTH_CHAIN_EVENTS_MAX = 200_000;

/** A stored event as other servers get it: as it was signed, without `unsigned`; redacted when a redaction was applied to it. */
export function servedPdu({ pdu: text, redactedBy, roomVersion }: StoredEvent): Pdu {
  const { unsigned: _unsigned, ...pdu } = JSON.parse(text) as Pdu;
  return redactedBy === null ? pdu : redact(getRoomVersion(roomVersion), pdu);
}

/** The same as JSON text. Nearly all events are served as they are stored: they are not parsed. */
function servedText(event: StoredEvent): string {
  const isPlain = event.redactedBy === null && !event.pdu.includes('"unsigned"');
  return isPlain ? event.pdu : JSON.stringify(servedPdu(event));
}

/** The JSON texts of those of the events that are stored, in no order. */
export async function readServedTexts(db: ReadDb, eventIds: readonly string[]): Promise<readonly string[]> {
  const texts: string[] = [];
  for (let start = 0; start < eventIds.length; start += EVENTS_PER_READ) {
    const events = await readEvents(db, eventIds.slice(start, start + EVENTS_PER_READ));
    for (const event of events.values()) texts.push(servedText(event));
    await setImmediate();
  }
  return texts;
}

/**
 * The ids of all events that these name as auth events, and those again, and so on: of these themselves only those that others name.
 * Server-Server API v1.19, "Auth chain".
 */
export async function readAuthChain(db: ReadDb, eventIds: readonly string[]): Promise<ReadonlySet<string>> {
  const chain = new Set<string>();
  const looked = new Set(eventIds);
  const waiting = [...looked];
  while (waiting.length > 0 && chain.size < AUTH_CHAIN_EVENTS_MAX) {
    const edges = await readAuthEdges(db, waiting.splice(0, EVENTS_PER_READ));
    for (const eventId of [...edges.values()].flat()) {
      chain.add(eventId);
      if (looked.has(eventId)) continue;
      looked.add(eventId);
      waiting.push(eventId);
    }
  }
  return chain;
}
