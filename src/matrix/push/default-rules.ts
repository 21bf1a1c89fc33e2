import type { Json, JsonObject } from '../../kit/json.ts';
import { THREAD_SUBSCRIPTION } from './condition.ts';

/** The kinds of push rules, in the order in which they are tried. Client-Server API v1.19, "Push Rules"; `postcontent` MSC4306. */
export const PUSH_RULE_KINDS = ['override', 'content', 'postcontent', 'room', 'sender', 'underride'] as const;

/** One of the kinds of push rules. */
export type PushRuleKind = (typeof PUSH_RULE_KINDS)[number];

/** A push rule as clients get it. */
export type PushRule = {
  readonly rule_id: string;
  /** A server-default rule; its id begins with a dot. */
  readonly default: boolean;
  readonly enabled: boolean;
  readonly actions: readonly Json[];
  /** Of override and underride rules: all must hold. */
  readonly conditions?: readonly JsonObject[];
  /** Of content rules. */
  readonly pattern?: string;
};

/** The rules of a user by kind, the first that matches wins. Only who has ever subscribed to a thread has `postcontent`. */
export type PushRuleset = Readonly<Record<Exclude<PushRuleKind, 'postcontent'>, readonly PushRule[]>> & {
  readonly postcontent?: readonly PushRule[];
};

/** A user's rules of one kind. */
export function rulesOfKind(rules: PushRuleset, kind: PushRuleKind): readonly PushRule[] {
  return rules[kind] ?? [];
}

const SOUND: Json = { set_tweak: 'sound', value: 'default' };
const RING: Json = { set_tweak: 'sound', value: 'ring' };
const HIGHLIGHT: Json = { set_tweak: 'highlight' };

function matches(key: string, pattern: string): JsonObject {
  return { kind: 'event_match', key, pattern };
}

function rule(ruleId: string, conditions: readonly JsonObject[], actions: readonly Json[]): PushRule {
  return { rule_id: `.m.rule.${ruleId}`, default: true, enabled: true, conditions, actions };
}

/** It can silence everything, even what the user's own rules ask for. */
const MASTER: PushRule = { ...rule('master', [], []), enabled: false };

const MENTIONS_ROOM: readonly JsonObject[] = [
  { kind: 'event_property_is', key: 'content.m\\.mentions.room', value: true },
  { kind: 'sender_notification_permission', key: 'room' },
];

const TWO_MEMBERS: JsonObject = { kind: 'room_member_count', is: '2' };

function pollRule(ruleId: string, conditions: readonly JsonObject[], actions: readonly Json[]): PushRule {
  return { ...rule(ruleId, conditions, actions), rule_id: `.org.matrix.msc3930.rule.${ruleId}` };
}

/** Off: for who wants to be told of encrypted events that only the client can judge. MSC4028. */
const ENCRYPTED_EVENT: PushRule = {
  ...rule('encrypted_event', [matches('type', 'm.room.encrypted')], ['notify']),
  rule_id: '.org.matrix.msc4028.encrypted_event',
  enabled: false,
};

/** The default rules that stay before the user's own. */
const LEADING: ReadonlySet<string> = new Set([MASTER, ENCRYPTED_EVENT].map(({ rule_id: ruleId }) => ruleId));

/** A group call begins. MSC3914. */
const GROUP_CALL: PushRule = {
  ...rule(
    'call',
    [matches('type', 'org.matrix.msc3401.call'), { kind: 'org.matrix.msc3914.call_started' }],
    ['notify', SOUND],
  ),
  rule_id: '.org.matrix.msc3914.rule.room.call',
};

/** The invitation to a call, as the proposal says it now and as clients send it today. The refusal of one mentions nobody. */
const RTC = matches('type', 'org.matrix.msc4075.rtc.*');

function rtcRule(ruleId: string, conditions: readonly JsonObject[]): PushRule {
  return {
    ...rule(ruleId, conditions, ['notify', RING]),
    rule_id: `.org.matrix.msc4075.rule.rtc.${ruleId}`,
  };
}

const POLL_RESPONSE = pollRule('poll_response', [matches('type', 'org.matrix.msc3381.poll.response')], []);

/** What clients know of polls before they are in the specification. MSC3930. */
const POLLS: readonly PushRule[] = [
  { ruleId: 'poll_start', type: 'org.matrix.msc3381.poll.start' },
  { ruleId: 'poll_end', type: 'org.matrix.msc3381.poll.end' },
].flatMap(({ ruleId, type }) => [
  pollRule(`${ruleId}_one_to_one`, [TWO_MEMBERS, matches('type', type)], ['notify', SOUND]),
  pollRule(ruleId, [matches('type', type)], ['notify']),
]);

function threadRule(ruleId: string, isSubscribed: boolean, actions: readonly Json[]): PushRule {
  const condition = { kind: THREAD_SUBSCRIPTION, subscribed: isSubscribed };
  return { ...rule(ruleId, [condition], actions), rule_id: `.io.element.msc4306.rule.${ruleId}` };
}

/** Threads notify those who have subscribed to them, and nobody else, whatever holds for their room. MSC4306. */
const THREADS: readonly PushRule[] = [
  threadRule('unsubscribed_thread', false, []),
  threadRule('subscribed_thread', true, ['notify', SOUND]),
];

/**
 * The rules that a server has for every user.
 * Client-Server API v1.19, "Predefined Rules", in the order in which they are printed there, and among them those of proposals, where these want them.
 *
 * @param options `knowsThreads`: the user has subscribed to threads. For others the rules for those would silence all threads, although
 * their clients know of no way to subscribe
 */
export function defaultPushRules(
  userId: string,
  options: { readonly knowsThreads?: boolean } = {},
): PushRuleset {
  const mentionsUser = {
    kind: 'event_property_contains',
    key: 'content.m\\.mentions.user_ids',
    value: userId,
  };
  return {
    ...(options.knowsThreads === true && { postcontent: THREADS }),
    override: [
      MASTER,
      ENCRYPTED_EVENT,
      rule('suppress_notices', [matches('content.msgtype', 'm.notice')], []),
      rule(
        'invite_for_me',
        [
          matches('type', 'm.room.member'),
          matches('content.membership', 'invite'),
          matches('state_key', userId),
        ],
        ['notify', SOUND],
      ),
      rule('member_event', [matches('type', 'm.room.member')], []),
      rtcRule('invite_for_me', [RTC, mentionsUser]),
      rule('is_user_mention', [mentionsUser], ['notify', SOUND, HIGHLIGHT]),
      rtcRule('invite_for_room', [RTC, ...MENTIONS_ROOM]),
      rule('is_room_mention', MENTIONS_ROOM, ['notify', HIGHLIGHT]),
      rule(
        'tombstone',
        [matches('type', 'm.room.tombstone'), matches('state_key', '')],
        ['notify', HIGHLIGHT],
      ),
      rule('reaction', [matches('type', 'm.reaction')], []),
      rule('room.server_acl', [matches('type', 'm.room.server_acl'), matches('state_key', '')], []),
      rule(
        'suppress_edits',
        [{ kind: 'event_property_is', key: 'content.m\\.relates_to.rel_type', value: 'm.replace' }],
        [],
      ),
      POLL_RESPONSE,
    ],
    content: [],
    room: [],
    sender: [],
    underride: [
      rtcRule('invite', [matches('type', 'org.matrix.msc4075.rtc.invite')]),
      rule('call', [matches('type', 'm.call.invite')], ['notify', RING]),
      GROUP_CALL,
      rule(
        'encrypted_room_one_to_one',
        [TWO_MEMBERS, matches('type', 'm.room.encrypted')],
        ['notify', SOUND],
      ),
      rule('room_one_to_one', [TWO_MEMBERS, matches('type', 'm.room.message')], ['notify', SOUND]),
      rule('message', [matches('type', 'm.room.message')], ['notify']),
      rule('encrypted', [matches('type', 'm.room.encrypted')], ['notify']),
      ...POLLS,
    ],
  };
}

/** What a user has changed: a default rule (`rule` is null), or a rule of the user's own. */
export interface PushRuleChange {
  readonly kind: PushRuleKind;
  readonly ruleId: string;
  /** The user's own rule: its `actions`, and `conditions` or `pattern`. */
  readonly rule: JsonObject | null;
  /** Null where what the rule says holds. */
  readonly enabled: boolean | null;
  /** Null where what the rule says holds. */
  readonly actions: readonly Json[] | null;
  /** Order among the user's own rules of one kind: lowest first. */
  readonly priority: number;
}

/** Actions of old versions that mean nothing. Client-Server API v1.19, "Historical Actions". */
const HISTORICAL_ACTIONS: ReadonlySet<Json> = new Set<Json>(['dont_notify', 'coalesce']);

/**
 * A user's rules: the defaults as the user has changed them, and the user's own before them. Changes of rules that are no longer
 * defaults are ignored.
 */
export function applyUserChanges(defaults: PushRuleset, changes: readonly PushRuleChange[]): PushRuleset {
  const ofKind = (kind: PushRuleKind): readonly PushRule[] => {
    const own = changes
      .filter((change) => change.kind === kind && change.rule !== null)
      .toSorted((left, right) => left.priority - right.priority)
      .map(ownRule);
    const changed = rulesOfKind(defaults, kind).map((original) =>
      changedRule(
        original,
        changes.find((change) => change.kind === kind && change.ruleId === original.rule_id),
      ),
    );
    const isLeading = ({ rule_id: ruleId }: PushRule): boolean => LEADING.has(ruleId);
    return [...changed.filter(isLeading), ...own, ...changed.filter((one) => !isLeading(one))];
  };
  return {
    ...(defaults.postcontent !== undefined && { postcontent: ofKind('postcontent') }),
    override: ofKind('override'),
    content: ofKind('content'),
    room: ofKind('room'),
    sender: ofKind('sender'),
    underride: ofKind('underride'),
  };
}

function changedRule(original: PushRule, change: PushRuleChange | undefined): PushRule {
  if (change === undefined) return original;
  return {
    ...original,
    enabled: change.enabled ?? original.enabled,
    actions: change.actions === null ? original.actions : knownActions(change.actions),
  };
}

function ownRule(change: PushRuleChange): PushRule {
  const { actions, conditions, pattern } = change.rule ?? {};
  return {
    rule_id: change.ruleId,
    default: false,
    enabled: change.enabled ?? true,
    actions: knownActions(change.actions ?? (Array.isArray(actions) ? actions : [])),
    ...(Array.isArray(conditions) ? { conditions: conditions as readonly JsonObject[] } : {}),
    ...(typeof pattern === 'string' ? { pattern } : {}),
  };
}

function knownActions(actions: readonly Json[]): readonly Json[] {
  return actions.filter((action) => !HISTORICAL_ACTIONS.has(action));
}
