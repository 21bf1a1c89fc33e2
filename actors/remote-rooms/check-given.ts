import { isJsonObject, type JsonObject } from '../../src/kit/json.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import type { ReceivedEvent } from '../rooms/protocol.ts';
import type { RemoteDesk } from './desk.ts';

/** The largest state of a room that is read, in bytes: rooms with tens of thousands of members. */
export const STATE_BYTES_MAX = 200 * 1_024 * 1_024;
/** Events of a state and of its auth chains, each. */
const STATE_EVENTS_MAX = 200_000;

/** Whether a field of an answer is a list of events that is not too long. */
export function areEvents(value: unknown): value is readonly JsonObject[] {
  return (
    Array.isArray(value) && value.length <= STATE_EVENTS_MAX && value.every((event) => isJsonObject(event))
  );
}

/** The same hash with the same signatures is the same event: most of the auth chain is of the state. */
function nameOf({ hashes, signatures }: JsonObject): string {
  const sha256 = isJsonObject(hashes) ? hashes['sha256'] : null;
  return JSON.stringify([sha256, signatures]);
}

/** Events that were checked, by what they were given as. */
export interface CheckedEvents {
  readonly kind: 'checked';
  /** Undefined for one that is not valid. */
  find(event: JsonObject): ReceivedEvent | undefined;
  /** Why one is not valid; undefined for one that is. */
  reasonAgainst(event: JsonObject): string | undefined;
  /** Those that are valid, in order. */
  validOf(events: readonly JsonObject[]): readonly ReceivedEvent[];
}

/**
 * Checks the events of a state that another server gave, each once. Those that are not valid, or of another room, are left out.
 *
 * @returns refused when nobody could check them
 */
export async function checkGiven(
  desk: RemoteDesk,
  version: RoomVersion,
  roomId: string,
  events: readonly JsonObject[],
): Promise<CheckedEvents | Refusal> {
  const byName = new Map<string, JsonObject>();
  for (const event of events) byName.set(nameOf(event), event);
  const checked = await desk.check(version, [...byName.values()]);
  if (isRefusal(checked)) return checked;
  const valid = new Map<string, ReceivedEvent>();
  const reasons = new Map<string, string>();
  for (const [index, name] of [...byName.keys()].entries()) {
    const outcome = checked[index];
    if (outcome?.kind === 'valid' && outcome.roomId === roomId) valid.set(name, outcome.event);
    else reasons.set(name, outcome?.kind === 'invalid' ? outcome.reason : 'it is of another room');
  }
  const dropped = byName.size - valid.size;
  if (dropped > 0) desk.log.info('events of a state are not valid and left out', { roomId, dropped });
  const find = (event: JsonObject): ReceivedEvent | undefined => valid.get(nameOf(event));
  return {
    kind: 'checked',
    find,
    reasonAgainst: (event) => reasons.get(nameOf(event)),
    validOf: (some) => some.map(find).filter((event) => event !== undefined),
  };
}
