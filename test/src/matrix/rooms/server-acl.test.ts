import { expect } from 'chai';
import { assert, constantFrom, property, string } from 'fast-check';
import type { JsonObject } from '../../../../src/kit/json.ts';
import { compileServerAcl } from '../../../../src/matrix/rooms/server-acl.ts';

const EVERYBODY = { allow: ['*'] };

describe('server access control lists', () => {
  const cases: readonly (readonly [string, JsonObject, string, boolean])[] = [
    ['without an allow list nobody may', {}, 'a.example', false],
    ['an allow list that is none lets nobody in', { allow: '*' }, 'a.example', false],
    ['everybody', EVERYBODY, 'a.example', true],
    ['denied by name', { ...EVERYBODY, deny: ['a.example'] }, 'a.example', false],
    ['a name is not its end', { ...EVERYBODY, deny: ['a.example'] }, 'b.a.example', true],
    ['denied by a pattern', { ...EVERYBODY, deny: ['*.a.example'] }, 'b.a.example', false],
    ['one character', { ...EVERYBODY, deny: ['?.example'] }, 'a.example', false],
    ['not two', { ...EVERYBODY, deny: ['?.example'] }, 'ab.example', true],
    ['the case of the list does not count', { ...EVERYBODY, deny: ['A.EXAMPLE'] }, 'a.example', false],
    ['the case of the name does not count', { ...EVERYBODY, deny: ['a.example'] }, 'A.Example', false],
    ['the port does not count', { ...EVERYBODY, deny: ['a.example'] }, 'a.example:8448', false],
    [
      'a port in the list matches nothing',
      { ...EVERYBODY, deny: ['a.example:8448'] },
      'a.example:8448',
      true,
    ],
    ['a dot is a dot', { ...EVERYBODY, deny: ['a.example'] }, 'axexample', true],
    ['deny comes before allow', { allow: ['a.example'], deny: ['a.*'] }, 'a.example', false],
    ['only those who are allowed', { allow: ['a.example'] }, 'b.example', false],
    ['entries that are no texts are left out', { allow: [1, null, 'a.example'] }, 'a.example', true],
    ['IP literals may, unless they may not', EVERYBODY, '10.0.0.1', true],
    ['IPv4', { ...EVERYBODY, allow_ip_literals: false }, '10.0.0.1', false],
    ['IPv4 with a port', { ...EVERYBODY, allow_ip_literals: false }, '10.0.0.1:8448', false],
    ['IPv6', { ...EVERYBODY, allow_ip_literals: false }, '[2001:db8::1]', false],
    ['IPv6 with a port', { ...EVERYBODY, allow_ip_literals: false }, '[2001:db8::1]:8448', false],
    ['names are no literals', { ...EVERYBODY, allow_ip_literals: false }, 'a.example', true],
    ['what is no boolean counts as true', { ...EVERYBODY, allow_ip_literals: 'false' }, '10.0.0.1', true],
    ['IPv6 by name', { ...EVERYBODY, deny: ['[2001:*'] }, '[2001:db8::1]:1', false],
    ['what is no server name', EVERYBODY, 'not a name', false],
  ];
  for (const [what, content, serverName, isAllowed] of cases)
    it(`${what}: ${serverName} ${isAllowed ? 'may' : 'may not'} take part`, () => {
      expect(compileServerAcl(content)(serverName)).to.equal(isAllowed);
    });

  it('no pattern makes a match slow', () => {
    assert(
      property(string({ unit: constantFrom('*', '?', 'a', '.'), maxLength: 300 }), (pattern) => {
        const begun = performance.now();
        compileServerAcl({ allow: [pattern], deny: [`${pattern}b`] })('a.'.repeat(100));
        expect(performance.now() - begun).to.be.below(500);
      }),
      { numRuns: 50, seed: 6 },
    );
  });
});
