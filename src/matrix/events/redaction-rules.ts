/** Which keys of `content` survive a redaction: `all`, or a list of keys, or of two-step paths (`third_party_invite.signed`). */
export type ContentRule =
  'all' | { readonly keys: readonly string[]; readonly nested?: Readonly<Record<string, readonly string[]>> };

/** What survives a redaction; everything else goes. */
export interface RedactionRules {
  readonly topLevel: ReadonlySet<string>;
  /** By event type; a type that is not named loses its whole content. */
  readonly content: ReadonlyMap<string, ContentRule>;
}

const TOP_LEVEL_V11 = [
  'event_id',
  'type',
  'room_id',
  'sender',
  'state_key',
  'content',
  'hashes',
  'signatures',
  'depth',
  'prev_events',
  'auth_events',
  'origin_server_ts',
];
const TOP_LEVEL_V1 = [...TOP_LEVEL_V11, 'prev_state', 'origin', 'membership'];

const POWER_LEVELS_V1 = [
  'ban',
  'events',
  'events_default',
  'kick',
  'redact',
  'state_default',
  'users',
  'users_default',
];

const CONTENT_V6: readonly (readonly [string, ContentRule])[] = [
  ['m.room.member', { keys: ['membership'] }],
  ['m.room.create', { keys: ['creator'] }],
  ['m.room.join_rules', { keys: ['join_rule'] }],
  ['m.room.power_levels', { keys: POWER_LEVELS_V1 }],
  ['m.room.history_visibility', { keys: ['history_visibility'] }],
];
const CONTENT_V8: typeof CONTENT_V6 = [
  ...CONTENT_V6,
  ['m.room.join_rules', { keys: ['join_rule', 'allow'] }],
];
const CONTENT_V9: typeof CONTENT_V6 = [
  ...CONTENT_V8,
  ['m.room.member', { keys: ['membership', 'join_authorised_via_users_server'] }],
];
const CONTENT_V11: typeof CONTENT_V6 = [
  ...CONTENT_V9,
  [
    'm.room.member',
    {
      keys: ['membership', 'join_authorised_via_users_server'],
      nested: { third_party_invite: ['signed'] },
    },
  ],
  ['m.room.create', 'all'],
  ['m.room.power_levels', { keys: [...POWER_LEVELS_V1, 'invite'] }],
  ['m.room.redaction', { keys: ['redacts'] }],
];

function rules(topLevel: readonly string[], content: typeof CONTENT_V6): RedactionRules {
  return { topLevel: new Set(topLevel), content: new Map(content) };
}

/** The rule sets, each named for the room version that brought it. Room versions 1, 6, 8, 9 and 11, "Redactions". */
export const REDACTION_RULES = {
  v1: rules(TOP_LEVEL_V1, [...CONTENT_V6, ['m.room.aliases', { keys: ['aliases'] }]]),
  v6: rules(TOP_LEVEL_V1, CONTENT_V6),
  v8: rules(TOP_LEVEL_V1, CONTENT_V8),
  v9: rules(TOP_LEVEL_V1, CONTENT_V9),
  v11: rules(TOP_LEVEL_V11, CONTENT_V11),
} as const;
