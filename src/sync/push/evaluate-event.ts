import type { LocalMember, PushEvent } from '../../../db/push/event-reader.ts';
import type { JsonObject } from '../../kit/json.ts';
import type { Caches } from '../../streams/cache.ts';
import { evaluateForMany, type PushOutcome } from '../../matrix/push/evaluator.ts';
import { invitePermissionCache } from '../caches/invite-permission.ts';
import { localMembersCache } from './push-room.ts';
import { type PushServices, readEventFacts, readPushUser } from './event-facts.ts';
import { type PushProfile, pushProfileCache } from './push-profile.ts';
import { findThreadId } from './thread-of-event.ts';

/** Users who are notified of an event in the same way. */
export interface NotifiedUsers {
  readonly outcome: PushOutcome;
  readonly users: readonly Candidate[];
}

/** What was found out about one event. */
export interface EvaluatedEvent {
  readonly threadId: string;
  /** Those who are notified of it, by what they are told. */
  readonly notified: readonly NotifiedUsers[];
}

/** A local user who may be notified. `userNid` is null for somebody who is only invited: looked up when it is needed. */
export interface Candidate {
  readonly userId: string;
  readonly userNid: number | null;
}

/** An event as rules look at it. */
export function pushEventOf({
  pdu,
  eventId,
  roomId,
}: Pick<PushEvent, 'pdu' | 'eventId' | 'roomId'>): JsonObject {
  return { ...(JSON.parse(pdu) as JsonObject), room_id: roomId, event_id: eventId };
}

/** Who sent an event. Every stored event has a sender. */
export function senderOf({ sender }: JsonObject): string {
  if (typeof sender !== 'string') throw new Error('an event is stored without a sender');
  return sender;
}

/** The user whom an event invites; null for any other event. */
export function invitedBy(event: JsonObject): string | null {
  const { type, state_key: stateKey, content } = event;
  const isInvite =
    type === 'm.room.member' && (content as JsonObject | undefined)?.['membership'] === 'invite';
  return isInvite && typeof stateKey === 'string' ? stateKey : null;
}

/** Nobody is told of invites that they do not want. MSC4155. */
async function wantsInvite(cached: Caches, invited: string, event: JsonObject): Promise<boolean> {
  const permission = await cached.get(invitePermissionCache, invited);
  return permission.verdictOf(senderOf(event)) === 'allow';
}

async function candidatesOf(
  { cached }: PushServices,
  { place, roomId, isInTimeline }: PushEvent,
  event: JsonObject,
  isLocal: (userId: string) => boolean,
): Promise<readonly Candidate[]> {
  const invited = invitedBy(event);
  const isTold = invited !== null && isLocal(invited) && (await wantsInvite(cached, invited, event));
  const invitee = isTold ? [{ userId: invited, userNid: null }] : [];
  if (isInTimeline === 0) return invitee;
  const members: readonly LocalMember[] = await cached.get(localMembersCache, roomId);
  return [
    ...members.filter(({ since, userId }) => since <= place && userId !== event['sender']),
    ...invitee.filter(({ userId }) => !members.some((member) => member.userId === userId)),
  ];
}

function profileOf({ cached }: PushServices, userId: string): PushProfile | Promise<PushProfile> {
  return cached.peek(pushProfileCache, userId) ?? cached.get(pushProfileCache, userId);
}

/**
 * Finds out whom of this server's users an event notifies: those in the room but the sender, and whom it invites. Each set of rules is
 * evaluated once for all who share it.
 * Client-Server API v1.19, "Push Notifications".
 *
 * @param isLocal is a user one of this server's?
 */
export async function evaluateEvent(
  services: PushServices,
  stored: PushEvent,
  event: JsonObject,
  isLocal: (userId: string) => boolean,
): Promise<EvaluatedEvent> {
  const { roomId } = stored;
  const threadId = await findThreadId(services, roomId, event);
  const candidates = await candidatesOf(services, stored, event, isLocal);
  if (candidates.length === 0) return { threadId, notified: [] };
  const evaluate = evaluateForMany(await readEventFacts(services, roomId, event, threadId));
  const sender = senderOf(event);
  const notified = new Map<PushOutcome, Candidate[]>();
  for (const candidate of candidates) {
    const { userId } = candidate;
    const known = profileOf(services, userId);
    const profile = known instanceof Promise ? await known : known;
    if (profile.ignored?.has(sender) === true) continue;
    const user = profile.rules.needsDisplayName
      ? await readPushUser(services, roomId, userId, profile)
      : { userId, displayName: null };
    const outcome = evaluate(profile.rules, user);
    if (!outcome.notify) continue;
    const users = notified.get(outcome);
    if (users === undefined) notified.set(outcome, [candidate]);
    else users.push(candidate);
  }
  return { threadId, notified: [...notified].map(([outcome, users]) => ({ outcome, users })) };
}

/**
 * What one user's rules say about an event of a room that the user is in; null when they say nothing of it, or the user ignores the sender.
 */
export async function evaluateForUser(
  services: PushServices,
  { roomId, threadId }: { readonly roomId: string; readonly threadId: string },
  event: JsonObject,
  userId: string,
): Promise<PushOutcome | null> {
  const profile = await profileOf(services, userId);
  if (profile.ignored?.has(senderOf(event)) === true) return null;
  const facts = await readEventFacts(services, roomId, event, threadId);
  const user = await readPushUser(services, roomId, userId, profile);
  const outcome = evaluateForMany(facts)(profile.rules, user);
  return outcome.notify ? outcome : null;
}
