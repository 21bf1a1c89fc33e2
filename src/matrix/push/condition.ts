import { isJsonObject, type Json, type JsonObject } from '../../kit/json.ts';
import { type DottedPath, parseDottedPath, valueAt } from '../dotted-path.ts';
import { compileGlob, compileWords } from './glob.ts';
import { parseMemberCount } from './member-count.ts';

/** What an event is looked at with, the same for everybody in its room. */
export interface EventFacts {
  /** As clients get it: with `event_id` and `room_id`. */
  readonly event: JsonObject;
  readonly memberCount: number;
  /** What a state event that begins a call has replaced; null, or absent: nothing. */
  readonly replacedContent?: JsonObject | null;
  /** May the sender notify others in the way that a key of `notifications` of the power levels names? */
  senderMayNotify(key: string): boolean;
  /** The users of this server who have subscribed to its thread; null for an event that is in no thread. MSC4306. */
  readonly threadSubscribers: ReadonlySet<string> | null;
}

/** Who is to be notified. */
export interface PushUser {
  /** Empty: nobody, whom no event names. */
  readonly userId: string;
  /** In the event's room; null without one. Only rules that look at it need it. */
  readonly displayName: string | null;
}

/** A condition, compiled. */
export interface Condition {
  holds(facts: EventFacts, user: PushUser): boolean;
  /**
   * `nobody`: it holds for all users alike. `named`: it holds for users of whom the event says so otherwise than for all the rest, see
   * {@link Condition.named}. `everybody`: nothing can be said about a user from what holds for another.
   */
  readonly differsFor: 'nobody' | 'named' | 'everybody';
  /** The users for whom it may be otherwise than for the rest, in lower case. */
  named(facts: EventFacts): readonly string[];
}

const BODY_KEY = 'content.body';

const NOTHING_NAMED = (): readonly string[] => [];

function forAll(holds: (facts: EventFacts) => boolean): Condition {
  return { holds, differsFor: 'nobody', named: NOTHING_NAMED };
}

/** Conditions that are not known, or lack something, never match. Client-Server API v1.19, "Push Rules", "Conditions". */
const NEVER: Condition = forAll(() => false);

/** In a shape that users share it stands where each has the own user id. */
export const SELF = Object.freeze({ self: true });

function isSelf(value: Json | undefined): boolean {
  return typeof value === 'object' && value !== null && (value as JsonObject)['self'] === true;
}

function textsOf(value: Json | undefined): readonly string[] {
  const values = Array.isArray(value) ? (value as readonly Json[]) : [value];
  return values.filter((one) => typeof one === 'string').map((one) => one.toLowerCase());
}

function namesSelf(
  path: DottedPath,
  isNamed: (value: Json | undefined, userId: string) => boolean,
): Condition {
  return {
    holds: ({ event }, { userId }) => userId !== '' && isNamed(valueAt(event, path), userId),
    differsFor: 'named',
    named: ({ event }) => textsOf(valueAt(event, path)),
  };
}

function eventMatch({ key, pattern }: JsonObject): Condition {
  if (typeof key !== 'string') return NEVER;
  const path = parseDottedPath(key);
  if (isSelf(pattern))
    return namesSelf(
      path,
      (value, userId) => typeof value === 'string' && value.toLowerCase() === userId.toLowerCase(),
    );
  if (typeof pattern !== 'string') return NEVER;
  const matches = compileGlob(pattern, key === BODY_KEY ? 'words' : 'whole');
  return forAll(({ event }) => {
    const value = valueAt(event, path);
    return typeof value === 'string' && matches(value);
  });
}

function isPlain(value: Json | undefined): value is null | boolean | number | string {
  return value === null || ['boolean', 'number', 'string'].includes(typeof value);
}

function eventPropertyIs({ key, value }: JsonObject): Condition {
  if (typeof key !== 'string') return NEVER;
  const path = parseDottedPath(key);
  if (isSelf(value)) return namesSelf(path, (found, userId) => found === userId);
  if (!isPlain(value)) return NEVER;
  return forAll(({ event }) => valueAt(event, path) === value);
}

function eventPropertyContains({ key, value }: JsonObject): Condition {
  if (typeof key !== 'string') return NEVER;
  const path = parseDottedPath(key);
  const contains = (list: Json | undefined, wanted: Json): boolean =>
    Array.isArray(list) && (list as readonly Json[]).includes(wanted);
  if (isSelf(value)) return namesSelf(path, contains);
  if (!isPlain(value)) return NEVER;
  return forAll(({ event }) => contains(valueAt(event, path), value));
}

function bodyOf(event: JsonObject): string | null {
  const body = valueAt(event, ['content', 'body']);
  return typeof body === 'string' ? body : null;
}

const CONTAINS_DISPLAY_NAME: Condition = {
  holds({ event }, { displayName }) {
    const body = bodyOf(event);
    return body !== null && displayName !== null && compileWords(displayName)(body);
  },
  differsFor: 'everybody',
  named: NOTHING_NAMED,
};

function roomMemberCount({ is }: JsonObject): Condition {
  const test = typeof is === 'string' ? parseMemberCount(is) : null;
  return test === null ? NEVER : forAll(({ memberCount }) => test(memberCount));
}

function senderNotificationPermission({ key }: JsonObject): Condition {
  return typeof key === 'string' ? forAll((facts) => facts.senderMayNotify(key)) : NEVER;
}

/** The kind of the condition that looks at subscriptions to threads, before it is in the specification. MSC4306. */
export const THREAD_SUBSCRIPTION = 'io.element.msc4306.thread_subscription';

function threadSubscription({ subscribed }: JsonObject): Condition {
  if (typeof subscribed !== 'boolean') return NEVER;
  return {
    holds: ({ threadSubscribers }, { userId }) =>
      threadSubscribers !== null && threadSubscribers.has(userId) === subscribed,
    differsFor: 'named',
    named: ({ threadSubscribers }) =>
      threadSubscribers === null ? [] : [...threadSubscribers].map((userId) => userId.toLowerCase()),
  };
}

/** A condition that a message's body holds some words. */
export function bodyMatches(pattern: string): Condition {
  return eventMatch({ key: BODY_KEY, pattern });
}

/** A condition that a field of the event is a certain text, by its letters. */
export function fieldIs(field: 'room_id' | 'sender', value: string): Condition {
  return forAll(({ event }) => event[field] === value);
}

const RINGING: ReadonlySet<Json | undefined> = new Set(['m.ring', 'm.prompt']);

/** A group call begins that those in the room are to hear of; what changes one that goes on is none. MSC3914. */
const CALL_STARTED: Condition = forAll(({ event, replacedContent = null }) => {
  const content = event['content'];
  if (!isJsonObject(content) || !RINGING.has(content['m.intent']) || 'm.terminated' in content) return false;
  return replacedContent === null || 'm.terminated' in replacedContent;
});

const KINDS: Readonly<Record<string, (condition: JsonObject) => Condition>> = {
  event_match: eventMatch,
  event_property_is: eventPropertyIs,
  event_property_contains: eventPropertyContains,
  contains_display_name: () => CONTAINS_DISPLAY_NAME,
  room_member_count: roomMemberCount,
  sender_notification_permission: senderNotificationPermission,
  [THREAD_SUBSCRIPTION]: threadSubscription,
  'org.matrix.msc3914.call_started': () => CALL_STARTED,
};

/** Compiles a condition of any kind. */
export function compileCondition(condition: JsonObject): Condition {
  const { kind } = condition;
  if (typeof kind !== 'string' || !Object.hasOwn(KINDS, kind)) return NEVER;
  return KINDS[kind]?.(condition) ?? NEVER;
}
