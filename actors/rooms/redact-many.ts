import { readRelated } from '../../db/rooms/relation-reader.ts';
import { findEndOfLastStay, readEventsOfSender } from '../../db/rooms/sender-reader.ts';
import { ROOM_END, ROOM_START, type TopologicalPlace } from '../../db/rooms/timeline-reader.ts';
import type { ReadDb } from '../../db/kit/read-db.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import { Later } from '../kit/actor.ts';
import { type ActorRef, AskFailed } from '../kit/ref.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { RoomsProtocol, Sent } from './protocol.ts';
import type { RoomsDesk, Turn } from './rooms-desk.ts';

type RedactMany = InputOf<RoomsProtocol, 'rooms.redact-many'>;

/** Events that are redacted for one request: what is beyond stays. */
export const REDACTED_MAX = 1_000;
/** Redactions that wait for their turns in the room at the same time: everybody else's events come in between. */
const REDACTED_AT_ONCE_MAX = 16;
/** Events of the room that are looked at at once, and in all, for those of one sender. */
const LOOKED_AT_ONCE = 200;
const LOOKED_AT_MAX = 50_000;

const REDACT_EVENTS = 'org.matrix.msc4293.redact_events';

/** Pages of ids; each is read when the one before it is dealt with. */
type Pages = AsyncGenerator<readonly string[]>;

async function* relatedIds(
  db: ReadDb,
  roomId: string,
  { parentId, relTypes }: Extract<RedactMany['which'], { readonly kind: 'related' }>,
): Pages {
  for (const relType of relTypes ?? [null]) {
    let from: TopologicalPlace = ROOM_START;
    for (;;) {
      const range = { roomId, parentId, relType, type: null, from, to: ROOM_END };
      const order = { direction: 'forward', isDeep: false } as const;
      const page = await readRelated(db, range, order, REDACTED_AT_ONCE_MAX);
      yield page.map(({ eventId }) => eventId);
      const last = page[REDACTED_AT_ONCE_MAX - 1];
      if (last === undefined) break;
      from = { depth: last.depth, streamOrdering: last.position };
    }
  }
}

async function* sentIds(
  db: ReadDb,
  roomId: string,
  { userId, before: end }: Extract<RedactMany['which'], { readonly kind: 'sent-by' }>,
): Pages {
  const after = await findEndOfLastStay(db, roomId, userId, end);
  let before = end;
  for (let lookedAt = 0; lookedAt < LOOKED_AT_MAX; lookedAt += LOOKED_AT_ONCE) {
    const page = await readEventsOfSender(db, roomId, userId, { after, before }, LOOKED_AT_ONCE);
    const ids = page.events.map(({ eventId }) => eventId);
    for (let index = 0; index < ids.length; index += REDACTED_AT_ONCE_MAX)
      yield ids.slice(index, index + REDACTED_AT_ONCE_MAX);
    if (page.before === null) return;
    before = page.before;
  }
}

/** One redaction, in a turn of its room; undefined when the actor has too much to do, or stops. */
async function redactOne(
  self: ActorRef<RoomsProtocol>,
  { inRoom: roomId, sender, content }: RedactMany,
  eventId: string,
): Promise<Sent | Refusal | undefined> {
  try {
    return await self.ask('rooms.redact-event', { roomId, sender, eventId, content, transaction: null });
  } catch (error) {
    if (error instanceof AskFailed) return undefined;
    throw error;
  }
}

/**
 * Redacts many events, each by a redaction of its own, so that other servers and clients need to know nothing of it. What the sender may not
 * redact stays. It ends early when the server stops, or cannot write: nobody waits for it, and who asks again gets the rest.
 * MSC3912 (what relates to an event), MSC4293 (what a user has sent who is kicked or banned).
 *
 * @param self the rooms actor's own address
 */
export async function redactMany(
  desk: Pick<RoomsDesk, 'db'>,
  self: ActorRef<RoomsProtocol>,
  input: RedactMany,
): Promise<void> {
  const { inRoom, which } = input;
  const pages =
    which.kind === 'related' ? relatedIds(desk.db, inRoom, which) : sentIds(desk.db, inRoom, which);
  let redacted = 0;
  for await (const page of pages) {
    const answers = await Promise.all(page.map((eventId) => redactOne(self, input, eventId)));
    for (const answer of answers) {
      if (answer === undefined || (isRefusal(answer) && answer.status >= 500)) return;
      // All of them are the same user's: who may not redact one may redact none.
      if (isRefusal(answer) && which.kind === 'sent-by') return;
    }
    redacted += page.length;
    if (redacted >= REDACTED_MAX) return;
  }
}

function isRemoval(action: InputOf<RoomsProtocol, 'rooms.change-membership'>['action']): boolean {
  return action === 'kick' || action === 'ban';
}

/** Has what a user sent redacted, too, once the user is kicked or banned, where the moderator's event says so. MSC4293. */
export function redactAfterRemoval(
  desk: Pick<RoomsDesk, 'redactLater'>,
  { roomId, sender, target, action, content }: InputOf<RoomsProtocol, 'rooms.change-membership'>,
  turn: Turn,
): void {
  const isWanted = content[REDACT_EVENTS] === true || content['redact_events'] === true;
  if (!isRemoval(action) || !isWanted || !(turn instanceof Later)) return;
  const { reason } = content;
  const given: JsonObject = typeof reason === 'string' ? { reason } : {};
  const begin = (outcome: Sent | Refusal): void => {
    if (isRefusal(outcome)) return;
    const which = { kind: 'sent-by', userId: target, before: outcome.position } as const;
    desk.redactLater({ inRoom: roomId, sender, content: given, which });
  };
  // Whoever waits for the answer hears of its failure.
  turn.answer.then(begin, () => undefined);
}
