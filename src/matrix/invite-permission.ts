import { isJsonObject, type Json, type JsonObject } from '../kit/json.ts';
import { domainOf } from './identifiers/domain.ts';
import { compileGlob, type TextTest } from './push/glob.ts';

/** Account data of who wants no invites. Client-Server API v1.19, "Invite permission". */
export const INVITE_PERMISSION_TYPE = 'm.invite_permission_config';
/** Account data of who wants invites of some and not of others. MSC4155, before it is in the specification. */
export const INVITE_FILTER_TYPE = 'org.matrix.msc4155.invite_permission_config';

/**
 * What becomes of an invite. `ignore`: the sender is told that all is well, and the invited user is never told of it. `block`: it is refused.
 */
export type InviteVerdict = 'allow' | 'ignore' | 'block';

/** Whose invites a user wants. */
export interface InvitePermission {
  /** @param inviter a user id */
  verdictOf(inviter: string): InviteVerdict;
  /** How many patterns and users it holds: what it takes to keep. */
  readonly size: number;
}

/** What a user has said about invites, as it is stored: whatever clients have put there. */
export interface InviteSettings {
  /** Whom the user ignores altogether. */
  readonly ignoredUsers: ReadonlySet<string>;
  /** Content of `m.invite_permission_config`. */
  readonly permission: JsonObject | undefined;
  /** Content of `org.matrix.msc4155.invite_permission_config`. */
  readonly filter: JsonObject | undefined;
}

const SERVER_PORT = /:\d{1,5}$/;

/** Tests texts against several globs: those that stand for themselves cost one look-up, however many they are. */
function compileGlobs(value: Json | undefined): { readonly test: TextTest; readonly size: number } {
  const patterns = Array.isArray(value) ? value.filter((pattern) => typeof pattern === 'string') : [];
  const isGlob = (pattern: string): boolean => /[*?]/.test(pattern);
  const literals = new Set(
    patterns.filter((pattern) => !isGlob(pattern)).map((pattern) => pattern.toLowerCase()),
  );
  const globs = patterns.filter(isGlob).map((pattern) => compileGlob(pattern, 'whole'));
  return {
    test: (text) => literals.has(text.toLowerCase()) || globs.some((matches) => matches(text)),
    size: patterns.length,
  };
}

/** In the order in which they are tried: the first that matches decides. MSC4155. */
const FILTERS: readonly (readonly [string, 'user' | 'server', InviteVerdict])[] = [
  ['allowed_users', 'user', 'allow'],
  ['ignored_users', 'user', 'ignore'],
  ['blocked_users', 'user', 'block'],
  ['allowed_servers', 'server', 'allow'],
  ['ignored_servers', 'server', 'ignore'],
  ['blocked_servers', 'server', 'block'],
];

/** Of who has said nothing. */
export const ALL_INVITES_ALLOWED: InvitePermission = { verdictOf: () => 'allow', size: 0 };

/**
 * Compiles what a user has said about invites. `default_action: "block"` blocks everybody's; otherwise those of ignored users are ignored, and
 * of the others the first list of the filter decides that names the user or the user's server, its port left out.
 * Client-Server API v1.19, "Invite permission" and "Ignoring Users"; MSC4155.
 */
export function compileInvitePermission({
  ignoredUsers,
  permission,
  filter,
}: InviteSettings): InvitePermission {
  if (permission?.['default_action'] === 'block') return { verdictOf: () => 'block', size: 1 };
  const isFiltering = isJsonObject(filter) && filter['enabled'] !== false;
  const lists = isFiltering
    ? FILTERS.map(([field, of, verdict]) => ({ of, verdict, ...compileGlobs(filter[field]) })).filter(
        (list) => list.size > 0,
      )
    : [];
  if (ignoredUsers.size + lists.length === 0) return ALL_INVITES_ALLOWED;
  return {
    verdictOf(inviter) {
      if (ignoredUsers.has(inviter)) return 'ignore';
      const server = (domainOf(inviter) ?? '').replace(SERVER_PORT, '');
      const list = lists.find(({ of, test }) => test(of === 'user' ? inviter : server));
      return list?.verdict ?? 'allow';
    },
    size: lists.reduce((sum, list) => sum + list.size, ignoredUsers.size),
  };
}
