import type { JsonObject } from '../../../../src/kit/json.ts';
import { buildEvent } from '../../../../src/matrix/events/build-event.ts';
import type { BuiltEvent } from '../../../../src/matrix/events/build-event.ts';
import type { Pdu, ProtoPdu } from '../../../../src/matrix/events/pdu.ts';
import { isRefusal } from '../../../../src/matrix/refusal.ts';
import type { AuthState } from '../../../../src/matrix/rooms/auth-decision.ts';
import { authorise } from '../../../../src/matrix/rooms/auth-rules.ts';
import { getRoomVersion } from '../../../../src/matrix/rooms/room-versions.ts';
import type { RoomVersion } from '../../../../src/matrix/rooms/room-versions.ts';
import { makeServerKey } from '../../../../src/matrix/signing.ts';

/*
 * The room of the authorisation tests. @alice:a is the creator, with level 100 (infinite in version 12); @mod:a has 50, @user:b has 0;
 * all three are in the room. @banned:b is banned, @invited:b invited, @knocker:b has knocked, @gone:b has left, @nobody:c was never there.
 */

const SIGNER = { serverName: 'a', key: makeServerKey(new Uint8Array(32).fill(1), 'test') };

/** Membership by user, as the room has it. */
const MEMBERS: Readonly<Record<string, string>> = {
  '@alice:a': 'join',
  '@mod:a': 'join',
  '@user:b': 'join',
  '@banned:b': 'ban',
  '@invited:b': 'invite',
  '@knocker:b': 'knock',
  '@gone:b': 'leave',
};

/** Makes an event of the given version, or throws. */
export function build(input: Omit<Parameters<typeof buildEvent>[0], 'eventIdLocalpart'>): BuiltEvent {
  const built = buildEvent({ ...input, eventIdLocalpart: 'event' }, SIGNER);
  if (isRefusal(built)) throw new Error(built.error);
  return built;
}

/** What differs from the usual room. */
export interface RoomOptions {
  readonly creationContent?: JsonObject;
  readonly joinRule?: string;
  /** Null for a room without power levels. */
  readonly levels?: JsonObject | null;
  readonly state?: readonly {
    readonly type: string;
    readonly stateKey: string;
    readonly sender: string;
    readonly content: JsonObject;
  }[];
}

/** What is asked of the rules. */
export interface Question {
  readonly type?: string;
  readonly sender?: string;
  readonly stateKey?: string;
  readonly content?: JsonObject;
  readonly redacts?: string;
  readonly eventId?: string;
  /** Only the create event comes before it. */
  readonly isSecond?: boolean;
}

export interface AuthRoom {
  readonly version: RoomVersion;
  readonly create: BuiltEvent;
  readonly state: AuthState;
  event(question: Question): ProtoPdu;
  /** The rule that rejects, or `ok`. */
  ask(question: Question): string;
}

/** The create event of the usual room. */
export function buildCreate(version: RoomVersion, content: JsonObject = {}): BuiltEvent {
  const creator = version.creatorInContent ? { creator: '@alice:a' } : {};
  return build({
    version,
    roomId: version.roomIdFormat === 'create-event' ? null : '!room:a',
    sender: '@alice:a',
    type: 'm.room.create',
    stateKey: '',
    content: { room_version: version.id, ...creator, ...content },
    prevEvents: [],
    authEvents: [],
    depth: 1,
    originServerTs: 1,
  });
}

/** Makes the room in one version. */
export function makeRoom(versionId: string, options: RoomOptions = {}): AuthRoom {
  const version = getRoomVersion(versionId);
  const create = buildCreate(version, options.creationContent);
  const creatorLevel = version.creatorsArePrivileged ? {} : { '@alice:a': 100 };
  const events = new Map<string, Pdu>([[placeOf('m.room.create', ''), create.pdu]]);
  const put = (type: string, stateKey: string, sender: string, content: JsonObject): void => {
    const pdu = { ...create.pdu, room_id: create.roomId, type, state_key: stateKey, sender, content };
    events.set(placeOf(type, stateKey), pdu);
  };
  for (const [userId, membership] of Object.entries(MEMBERS)) {
    put('m.room.member', userId, userId, { membership });
  }
  put('m.room.join_rules', '', '@alice:a', { join_rule: options.joinRule ?? 'invite' });
  if (options.levels !== null) {
    const users = { ...creatorLevel, '@mod:a': 50 };
    put('m.room.power_levels', '', '@alice:a', { invite: 0, users, ...options.levels });
  }
  for (const { type, stateKey, sender, content } of options.state ?? []) put(type, stateKey, sender, content);
  const state = { find: (type: string, stateKey: string) => events.get(placeOf(type, stateKey)) };
  const event = (question: Question): ProtoPdu => eventOf(version, create, question);
  return {
    version,
    create,
    state,
    event,
    ask(question) {
      const decision = authorise(version, { roomId: create.roomId, pdu: event(question) }, state);
      return decision.allowed ? 'ok' : decision.rule;
    },
  };
}

function eventOf(version: RoomVersion, create: BuiltEvent, question: Question): ProtoPdu {
  const previous = question.isSecond === true ? create.eventId : '$another:a';
  return {
    type: question.type ?? 'm.room.message',
    sender: question.sender ?? '@user:b',
    room_id: create.roomId,
    content: question.content ?? {},
    depth: 2,
    origin_server_ts: 2,
    prev_events: [version.eventIdFormat === 'server-chosen' ? [previous, { sha256: 'x' }] : previous],
    auth_events: [],
    ...(question.stateKey === undefined ? {} : { state_key: question.stateKey }),
    ...(question.redacts === undefined ? {} : { redacts: question.redacts }),
    ...(question.eventId === undefined ? {} : { event_id: question.eventId }),
  };
}

function placeOf(type: string, stateKey: string): string {
  return `${type}|${stateKey}`;
}

/** One row of a table: the expected rule by room version. */
export interface AuthCase {
  readonly name: string;
  readonly room?: RoomOptions;
  readonly ask: Question;
  readonly expected: Readonly<Record<string, string>>;
}

/** The same expectation for the versions that stand for each set of rules. */
export function everywhere(rule: string): Readonly<Record<string, string>> {
  return Object.fromEntries(['1', '3', '6', '7', '8', '10', '11', '12'].map((id) => [id, rule]));
}

/** A rule whose number is `5.…` up to version 5 and in version 12, and `4.…` between. */
export function memberRule(
  upTo7: string,
  from8: string,
  ids: readonly string[] = ['1', '5', '6', '7', '8', '11', '12'],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    ids.map((id) => [id, `${Number(id) <= 5 || id === '12' ? 5 : 4}.${Number(id) <= 7 ? upTo7 : from8}`]),
  );
}
