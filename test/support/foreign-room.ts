import type { ReceivedEvent } from '../../actors/rooms/protocol.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { type BuiltEvent, buildEvent } from '../../src/matrix/events/build-event.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { domainOf } from '../../src/matrix/identifiers/domain.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';
import { authEventKeys } from '../../src/matrix/rooms/auth-events.ts';
import { getRoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { makeServerKey, type ServerKey } from '../../src/matrix/signing.ts';

/** With which events of foreign rooms are signed when nothing else is said: the key of a `federation-peer.ts` too. */
export const FOREIGN_KEY = makeServerKey(new Uint8Array(32).fill(3), 'theirs');

/** What decides an event of the room; the rest follows from what the room is. */
export interface ForeignProposal {
  readonly sender: string;
  readonly type: string;
  readonly stateKey?: string;
  readonly content: JsonObject;
}

/** A room on other servers, as they have it: its events in one line, each signed by its sender's server. */
export interface ForeignRoom {
  readonly roomId: string;
  readonly version: string;
  readonly creator: string;
  /** All its events, oldest first. */
  readonly events: readonly BuiltEvent[];
  /** Makes an event without adding it. */
  build(proposal: ForeignProposal): BuiltEvent;
  /** Makes an event that follows all others. */
  add(proposal: ForeignProposal): BuiltEvent;
  /** Adds an event that was made before. */
  append(event: BuiltEvent): void;
  /** Makes a member event and adds it. */
  member(userId: string, membership: string, sender?: string): BuiltEvent;
  /** The events of the present state. */
  state(): readonly BuiltEvent[];
  /** The events of the present state of these types, whole, as an invite has them. */
  inviteState(...types: readonly string[]): JsonObject[];
}

/** An event as one server gives it to another. */
export function received(event: BuiltEvent): ReceivedEvent {
  return { eventId: event.eventId, pdu: event.json };
}

/** Makes a public room with its create event, the creator's join, power levels and join rules. */
export function makeForeignRoom(
  options: {
    readonly version?: string;
    readonly creator?: string;
    readonly joinRule?: string;
    /** Of its id, up to room version 11: another room has another one. */
    readonly name?: string;
    /** With which its servers sign. */
    readonly key?: ServerKey;
  } = {},
): ForeignRoom {
  const {
    version: id = '11',
    creator = '@remote:other.example',
    joinRule = 'public',
    name = 'foreign',
    key = FOREIGN_KEY,
  } = options;
  const version = getRoomVersion(id);
  const events: BuiltEvent[] = [];
  const state = new Map<string, BuiltEvent>();
  let named = version.roomIdFormat === 'create-event' ? null : `!${name}${id}:${domainOf(creator) ?? ''}`;
  let count = 0;

  const build = (proposal: ForeignProposal): BuiltEvent => {
    const { sender, type, stateKey, content } = proposal;
    const last = events.at(-1);
    const keys = authEventKeys(version, {
      sender,
      type,
      content,
      ...(stateKey !== undefined && { state_key: stateKey }),
    });
    const built = buildEvent(
      {
        version,
        roomId: named,
        ...proposal,
        prevEvents: last === undefined ? [] : [last],
        authEvents: keys.flatMap((wanted) => state.get(`${wanted.type} ${wanted.stateKey}`) ?? []),
        depth: events.length + 1,
        originServerTs: 1_600_000_000_000 + (count += 1),
        ...(version.eventIdFormat === 'server-chosen' && { eventIdLocalpart: `${name}${id}event${count}` }),
      },
      { serverName: domainOf(sender) ?? '', key },
    );
    if (isRefusal(built)) throw new Error(built.error);
    return built;
  };
  const append = (event: BuiltEvent): void => {
    events.push(event);
    const { type, state_key: stateKey } = event.pdu;
    if (stateKey !== undefined) state.set(`${type} ${stateKey}`, event);
  };
  const add = (proposal: ForeignProposal): BuiltEvent => {
    const event = build(proposal);
    append(event);
    return event;
  };
  const content = {
    // What comes first had no versions.
    ...(id !== '1' && { room_version: id }),
    ...(version.creatorInContent && { creator }),
  };
  named = add({ sender: creator, type: 'm.room.create', stateKey: '', content }).roomId;
  const member: ForeignRoom['member'] = (userId, membership, sender = userId) =>
    add({ sender, type: 'm.room.member', stateKey: userId, content: { membership } });
  member(creator, 'join');
  const users = version.creatorsArePrivileged ? {} : { [creator]: 100 };
  add({ sender: creator, type: 'm.room.power_levels', stateKey: '', content: { users } });
  add({ sender: creator, type: 'm.room.join_rules', stateKey: '', content: { join_rule: joinRule } });
  return {
    roomId: named,
    version: id,
    creator,
    events,
    build,
    add,
    append,
    member,
    state: () => [...state.values()],
    inviteState: (...types) =>
      [...state.values()].flatMap(({ pdu }) => (types.includes(pdu.type) ? [pdu as Pdu & JsonObject] : [])),
  };
}
