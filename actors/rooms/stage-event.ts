import { isDeepStrictEqual } from 'node:util';
import type { StateGroupWrite } from '../../db/rooms/state-group-writer.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import {
  type BuildEventInput,
  type BuiltEvent,
  buildEvent,
  type EventReference,
  type EventSigner,
} from '../../src/matrix/events/build-event.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { StateKey } from '../../src/matrix/rooms/auth-decision.ts';
import { authEventKeys } from '../../src/matrix/rooms/auth-events.ts';
import { authorise } from '../../src/matrix/rooms/auth-rules.ts';
import type { Room } from './room-memory.ts';
import { type EventPlace, eventSizeBytes, type StateEvent } from './room-state.ts';
import { chooseStateGroup, type StateGroupNumbers } from './state-groups.ts';

/** An event of a local user, before it is built. */
export interface Proposal {
  readonly sender: string;
  readonly type: string;
  /** Absent for message events. */
  readonly stateKey?: string;
  readonly content: JsonObject;
  /** What a redaction redacts. */
  readonly redacts?: string;
  /** For how long it is sticky, in milliseconds. MSC4354. */
  readonly stickyDurationMs?: number;
  /** Milliseconds since the Unix epoch. */
  readonly originServerTs: number;
}

/** What staging needs beside the room. */
export interface Stage {
  readonly signer: EventSigner;
  readonly numbers: StateGroupNumbers;
  /** A new opaque part of an event id: room versions 1 and 2. */
  newEventLocalpart(): string;
}

/** An event that is in the memory of its room and not yet stored. */
export interface StagedEvent {
  readonly room: Room;
  readonly proposal: Proposal;
  readonly built: BuiltEvent;
  readonly depth: number;
  readonly stateGroup: StateGroupWrite;
  /** The extremities that it replaced. */
  readonly follows: readonly string[];
  /** What several extremities resolve to after it; null: it is the only one; absent: as it was. */
  readonly resolvedStateGroup?: number | null;
}

const CREATE: StateKey = { type: 'm.room.create', stateKey: '' };
/** Above this no depth can be written in every room version. */
const DEPTH_MAX = Number.MAX_SAFE_INTEGER;

/** An event follows no more than this. Server-Server API v1.19, "PDUs". */
const PREV_EVENTS_MAX = 20;

/** The places that must be in memory before the event is staged. */
export function placesOf(room: Room, proposal: Proposal): readonly StateKey[] {
  const { sender, type, stateKey, content } = proposal;
  const isState = stateKey !== undefined;
  const keys = authEventKeys(room.version, {
    sender,
    type,
    content,
    ...(isState && { state_key: stateKey }),
  });
  return isState ? [CREATE, { type, stateKey }, ...keys] : [CREATE, ...keys];
}

/** The state event that stands already, when a proposal would only repeat it: same place, sender and content. */
export function findSameState(room: Room, proposal: Proposal): StateEvent | undefined {
  if (proposal.stateKey === undefined) return undefined;
  const standing = room.state.findEvent(proposal.type, proposal.stateKey);
  if (standing === undefined || standing.pdu.sender !== proposal.sender) return undefined;
  return isDeepStrictEqual(standing.pdu.content, proposal.content) ? standing : undefined;
}

function authReferences(room: Room, keys: readonly StateKey[]): readonly EventReference[] {
  const references: EventReference[] = [];
  for (const { type, stateKey } of keys) {
    const event = room.state.findEvent(type, stateKey);
    if (event !== undefined) references.push(event);
  }
  return references;
}

function build(
  room: Room,
  proposal: Proposal,
  place: Pick<BuildEventInput, 'depth' | 'prevEvents'>,
  stage: Stage,
): BuiltEvent | Refusal {
  const { version } = room;
  const { sender, type, stateKey, content, redacts, stickyDurationMs, originServerTs } = proposal;
  const isState = stateKey !== undefined;
  const keys = authEventKeys(version, { sender, type, content, ...(isState && { state_key: stateKey }) });
  const isNameless = version.roomIdFormat === 'create-event' && type === CREATE.type;
  return buildEvent(
    {
      version,
      roomId: isNameless ? null : room.roomId,
      sender,
      type,
      ...(isState && { stateKey }),
      content,
      ...place,
      authEvents: authReferences(room, keys),
      originServerTs,
      ...(redacts !== undefined && { redacts }),
      ...(stickyDurationMs !== undefined && { stickyDurationMs }),
      ...(version.eventIdFormat === 'server-chosen' && { eventIdLocalpart: stage.newEventLocalpart() }),
    },
    stage.signer,
  );
}

/** An event that is allowed after the newest ones and stands nowhere yet. */
export interface DraftedEvent {
  readonly built: BuiltEvent;
  readonly depth: number;
  readonly prevEvents: readonly EventReference[];
}

/**
 * Builds the event that follows the newest ones, and authorises it at the room's current state: the room stays as it is.
 *
 * @returns refused with M_FORBIDDEN, M_TOO_LARGE or M_BAD_JSON
 */
export function draftEvent(room: Room, proposal: Proposal, stage: Stage): DraftedEvent | Refusal {
  const depth = Math.min(room.depth + 1, DEPTH_MAX);
  const prevEvents = room.extremities.slice(0, PREV_EVENTS_MAX);
  const built = build(room, proposal, { depth, prevEvents }, stage);
  if (isRefusal(built)) return built;
  const decision = authorise(room.version, { roomId: room.roomId, pdu: built.pdu }, room.state);
  return decision.allowed ? { built, depth, prevEvents } : refuse('M_FORBIDDEN', decision.reason);
}

/**
 * Puts a drafted event into the room's memory, which has not changed since. Whoever stages must commit next, and discard the room when that
 * fails.
 *
 * @param place where the commit that is to come will put it
 */
export function stageDraft(
  room: Room,
  proposal: Proposal,
  { built, depth, prevEvents }: DraftedEvent,
  place: EventPlace,
  stage: Pick<Stage, 'numbers'>,
): StagedEvent {
  const { type, stateKey } = proposal;
  const follows = prevEvents.map(({ eventId }) => eventId);
  const { eventId, sha256, pdu, json } = built;
  const own = stateKey === undefined ? undefined : { type, stateKey, eventId };
  const stateGroup = chooseStateGroup(room, own, stage.numbers);
  if (stateKey !== undefined) {
    room.state.set(type, stateKey, { eventId, sha256, pdu, place, sizeBytes: eventSizeBytes(json) });
  }
  const others = room.extremities.slice(PREV_EVENTS_MAX);
  room.extremities = [{ eventId, sha256 }, ...others];
  room.depth = depth;
  room.stateGroup = stateGroup.stateGroup;
  // It was authorised at, and follows, what the extremities resolve to: those that it could not name change nothing of that.
  const resolvedStateGroup = others.length === 0 ? null : stateGroup.stateGroup;
  return {
    room,
    proposal,
    built,
    depth,
    stateGroup,
    follows,
    ...(follows.length > 1 && { resolvedStateGroup }),
  };
}

/**
 * Builds an event, authorises it at the room's current state and puts it into the room's memory, in one synchronous step.
 * Whoever stages must commit next, and discard the room when that fails.
 *
 * @param place where the commit that is to come will put it
 * @returns refused, the room untouched, with M_FORBIDDEN, M_TOO_LARGE or M_BAD_JSON
 */
export function stageEvent(
  room: Room,
  proposal: Proposal,
  place: EventPlace,
  stage: Stage,
): StagedEvent | Refusal {
  const draft = draftEvent(room, proposal, stage);
  return isRefusal(draft) ? draft : stageDraft(room, proposal, draft, place, stage);
}
