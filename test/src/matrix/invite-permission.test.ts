import { expect } from 'chai';
import { array, assert, constantFrom, oneof, option, property, record } from 'fast-check';
import type { JsonObject } from '../../../src/kit/json.ts';
import {
  ALL_INVITES_ALLOWED,
  compileInvitePermission,
  type InviteSettings,
  type InviteVerdict,
} from '../../../src/matrix/invite-permission.ts';

const NOBODY: ReadonlySet<string> = new Set<string>();

function verdict(inviter: string, settings: Partial<InviteSettings>): InviteVerdict {
  const nothing = { ignoredUsers: NOBODY, permission: undefined, filter: undefined };
  return compileInvitePermission({ ...nothing, ...settings }).verdictOf(inviter);
}

/** A glob letter by letter, as its definition has it. */
function globMatches(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern.startsWith('*'))
    return globMatches(pattern.slice(1), text) || (text !== '' && globMatches(pattern, text.slice(1)));
  if (text === '') return false;
  return (pattern.startsWith('?') || pattern[0] === text[0]) && globMatches(pattern.slice(1), text.slice(1));
}

/** The eleven sentences of the proposal, one after the other. */
function naive(inviter: string, { ignoredUsers, permission, filter }: InviteSettings): InviteVerdict {
  if (permission?.['default_action'] === 'block') return 'block';
  if (ignoredUsers.has(inviter)) return 'ignore';
  if (filter === undefined || filter['enabled'] === false) return 'allow';
  const server = inviter.slice(inviter.indexOf(':') + 1).replace(/:[0-9]+$/, '');
  const hits = (field: string, text: string): boolean => {
    const list = filter[field];
    if (!Array.isArray(list)) return false;
    return (list as readonly unknown[]).some(
      (pattern) => typeof pattern === 'string' && globMatches(pattern.toLowerCase(), text.toLowerCase()),
    );
  };
  if (hits('allowed_users', inviter)) return 'allow';
  if (hits('ignored_users', inviter)) return 'ignore';
  if (hits('blocked_users', inviter)) return 'block';
  if (hits('allowed_servers', server)) return 'allow';
  if (hits('ignored_servers', server)) return 'ignore';
  if (hits('blocked_servers', server)) return 'block';
  return 'allow';
}

const USERS = ['@a:x.org', '@ab:x.org', '@b:y.org:8448', '@B:[::1]:80', '@c:[::1]'];
const USER_PATTERNS = [...USERS, '@A:x.org', '@a*', '@?:x.org', '*:y.org:8448', '*', '@b:y.org', ''];
const SERVER_PATTERNS = ['x.org', 'y.org', 'y.org:8448', '*.org', '[::1]', '[::1]:80', '?.ORG', '*', ''];

const list = (patterns: readonly string[]) =>
  option(
    oneof(
      { weight: 5, arbitrary: array(constantFrom<unknown>(...patterns, 7, null), { maxLength: 3 }) },
      { weight: 1, arbitrary: constantFrom<unknown>(null, 'x.org', { x: 1 }) },
    ),
    { nil: undefined },
  );

const settings = record({
  ignoredUsers: array(constantFrom(...USERS), { maxLength: 2 }).map(
    (users): ReadonlySet<string> => new Set(users),
  ),
  permission: constantFrom<JsonObject | undefined>(
    undefined,
    {},
    { default_action: 'allow' },
    { default_action: 'block' },
  ),
  filter: option(
    record({
      enabled: constantFrom<unknown>(true, false, undefined, 'no'),
      allowed_users: list(USER_PATTERNS),
      ignored_users: list(USER_PATTERNS),
      blocked_users: list(USER_PATTERNS),
      allowed_servers: list(SERVER_PATTERNS),
      ignored_servers: list(SERVER_PATTERNS),
      blocked_servers: list(SERVER_PATTERNS),
    }).map((filter) => filter as JsonObject),
    { nil: undefined },
  ),
});

describe('invite permission', () => {
  it('decides as the sentences of MSC4155 and MSC4380 do, one after the other', () => {
    const seen = new Set<InviteVerdict>();
    // A failure prints its seed.
    assert(
      property(settings, constantFrom(...USERS), (given, inviter) => {
        const expected = naive(inviter, given);
        seen.add(expected);
        expect(compileInvitePermission(given).verdictOf(inviter)).to.equal(expected);
      }),
      { numRuns: 3_000 },
    );
    expect([...seen].toSorted()).to.deep.equal(['allow', 'block', 'ignore']);
  });

  it('allows everybody whose user has said nothing, and keeps nothing for that', () => {
    const nothing = { ignoredUsers: NOBODY, permission: {}, filter: { blocked_users: [] } };
    expect(compileInvitePermission(nothing)).to.equal(ALL_INVITES_ALLOWED);
  });

  it('keeps the two account data events apart: the fields of the one mean nothing in the other', () => {
    expect(verdict('@a:x.org', { permission: { blocked_users: ['*'] } })).to.equal('allow');
    expect(verdict('@a:x.org', { filter: { default_action: 'block' } })).to.equal('allow');
    const allowed = { allowed_users: ['@a:x.org'] };
    expect(verdict('@a:x.org', { permission: { default_action: 'block' }, filter: allowed })).to.equal(
      'block',
    );
  });

  it('costs no more for many names than for one', () => {
    const names = Array.from({ length: 20_000 }, (_, index) => `@user${index}:x.org`);
    const permission = compileInvitePermission({
      ignoredUsers: NOBODY,
      permission: undefined,
      filter: { blocked_users: names },
    });
    expect(permission.size).to.equal(20_000);
    const startedAt = performance.now();
    for (let round = 0; round < 20_000; round += 1) permission.verdictOf('@user19999:x.org');
    expect(performance.now() - startedAt).to.be.lessThan(500);
    expect(permission.verdictOf('@USER7:x.org')).to.equal('block');
  });
});
