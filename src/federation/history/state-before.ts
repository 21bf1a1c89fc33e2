import type { ReadDb } from '../../../db/kit/read-db.ts';
import type { StoredEvent } from '../../../db/rooms/event-reader.ts';
import { findReplacedEvent } from '../../../db/rooms/replaced-event-reader.ts';
import { findWholeState } from '../../../db/rooms/state-layer-reader.ts';
import { readAuthChain } from '../served-pdus.ts';
import { isRefused } from './walk-history.ts';

/** The state before an event, by ids, and all that authorises it. */
export interface StateBefore {
  readonly stateIds: readonly string[];
  /** Of these none that stand in the state alone. */
  readonly authChainIds: readonly string[];
}

/**
 * The state of a room before an event. Server-Server API v1.19, `GET /state_ids/{roomId}`.
 *
 * @returns undefined where it is not known: for an event outside of the graph, or one that was refused
 */
export async function findStateBefore(db: ReadDb, event: StoredEvent): Promise<StateBefore | undefined> {
  const { stateGroup, type, stateKey, eventId } = event;
  if (stateGroup === null || isRefused(event)) return undefined;
  const after = await findWholeState(db, stateGroup);
  if (after === undefined) return undefined;
  const others = after.filter((entry) => entry.type !== type || entry.stateKey !== stateKey);
  const stateIds = others.map((entry) => entry.eventId);
  if (others.length < after.length) {
    const replaced = await findReplacedEvent(db, event);
    if (replaced !== undefined && replaced !== eventId) stateIds.push(replaced);
  }
  return { stateIds, authChainIds: [...(await readAuthChain(db, stateIds))] };
}
