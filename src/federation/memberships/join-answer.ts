import type { ReadDb } from '../../../db/kit/read-db.ts';
import { type StoredEvent, readEvents } from '../../../db/rooms/event-reader.ts';
import { readHeroes } from '../../../db/rooms/member-reader.ts';
import { readStateOfGroup, type StateEntry } from '../../../db/rooms/state-reader.ts';
import { edgeIds, type Pdu } from '../../matrix/events/pdu.ts';
import { readAuthChain, readServedTexts, servedPdu } from '../served-pdus.ts';

const MEMBER = 'm.room.member';
/** With so many member events, those who left included, a state is small enough to be given whole: the other server need not ask again. */
export const MEMBERS_GIVEN_MAX = 50;

/** How a server wants to be answered. */
export interface JoinAnswerOptions {
  /** Member events may be left out but for those that a server needs before it has the others. */
  readonly mayOmitMembers: boolean;
  /** The servers that were in the room before the join. */
  readonly hosts: readonly string[];
}

/** What the joining user was in the room before: the join names it as an auth event. */
async function findFormerMember(db: ReadDb, join: StoredEvent): Promise<string | undefined> {
  const { auth_events: authEvents } = JSON.parse(join.pdu) as Pdu;
  const events = await readEvents(db, edgeIds(authEvents));
  return [...events.values()].find(({ type, stateKey }) => type === MEMBER && stateKey === join.stateKey)
    ?.eventId;
}

/** Those whose member events say what the room is called, where nothing else does. */
async function readNamingMembers(
  db: ReadDb,
  join: StoredEvent,
  state: readonly StateEntry[],
): Promise<ReadonlySet<string | null>> {
  const hasName = state.some(({ type }) => type === 'm.room.name' || type === 'm.room.canonical_alias');
  if (hasName) return new Set();
  const heroes = await readHeroes(db, join.roomId, join.stateKey ?? '');
  return new Set(heroes.map(({ userId }) => userId));
}

/** The ids of the state before the join, and whether members are missing in it. */
async function stateBefore(
  db: ReadDb,
  join: StoredEvent,
  stateGroup: number,
  mayOmitMembers: boolean,
): Promise<{ readonly eventIds: readonly string[]; readonly omitsMembers: boolean }> {
  const state = await readStateOfGroup(db, stateGroup);
  const members = state.filter(({ type, eventId }) => type === MEMBER && eventId !== join.eventId).length;
  const omitsMembers = mayOmitMembers && members > MEMBERS_GIVEN_MAX;
  const naming = omitsMembers ? await readNamingMembers(db, join, state) : null;
  const kept = state.filter(
    ({ type, stateKey, eventId }) =>
      eventId !== join.eventId && (naming === null || type !== MEMBER || naming.has(stateKey)),
  );
  const former = await findFormerMember(db, join);
  const named = former === undefined ? [] : [former];
  return { eventIds: [...new Set([...kept.map(({ eventId }) => eventId), ...named])], omitsMembers };
}

/**
 * The body with which a join of another server's user is answered, as JSON text: a large room has megabytes of it.
 * Server-Server API v1.19, `PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}`.
 *
 * @param join accepted
 */
export async function buildJoinAnswer(
  db: ReadDb,
  join: StoredEvent,
  { mayOmitMembers, hosts }: JoinAnswerOptions,
): Promise<string> {
  if (join.stateGroup === null) throw new Error(`${join.eventId} was accepted and has no state`);
  const { eventIds: state, omitsMembers } = await stateBefore(db, join, join.stateGroup, mayOmitMembers);
  const chain = await readAuthChain(db, [...state, join.eventId]);
  const given = new Set(state);
  // Who knows how to do without the members need not get an event twice.
  const authChain = mayOmitMembers ? [...chain].filter((eventId) => !given.has(eventId)) : [...chain];
  const omitted = omitsMembers
    ? `"members_omitted":true,"servers_in_room":${JSON.stringify(hosts)},`
    : '"members_omitted":false,';
  const [stateTexts, chainTexts] = [await readServedTexts(db, state), await readServedTexts(db, authChain)];
  const event = JSON.stringify(servedPdu(join));
  return `{${omitted}"event":${event},"state":[${stateTexts.join(',')}],"auth_chain":[${chainTexts.join(',')}]}`;
}
