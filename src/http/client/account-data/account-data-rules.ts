import { type Refusal, refuse } from '../../../matrix/refusal.ts';

/** Types that have endpoints of their own. */
const SERVER_MANAGED_TYPES: ReadonlyMap<string, string> = new Map([
  ['m.fully_read', '/rooms/{roomId}/read_markers'],
  ['m.push_rules', '/pushrules'],
]);

/** Refused with 403 M_FORBIDDEN for somebody else's data. */
export function checkIsOwn(userId: string, callerId: string): Refusal | undefined {
  return userId === callerId ? undefined : refuse('M_FORBIDDEN', 'This is not your account data.');
}

/** Refused with 405 M_BAD_JSON for a type that the server manages. Client-Server API v1.19, "Client Config", "Server Behaviour". */
export function checkIsSettable(type: string): Refusal | undefined {
  const path = SERVER_MANAGED_TYPES.get(type);
  if (path === undefined) return undefined;
  return refuse('M_BAD_JSON', `${type} cannot be set through this API; use ${path}.`, { status: 405 });
}
