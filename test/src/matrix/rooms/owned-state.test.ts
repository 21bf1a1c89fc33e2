import { expect } from 'chai';
import { checkPduFormat } from '../../../../src/matrix/events/pdu.ts';
import { ownerOfStateKey } from '../../../../src/matrix/rooms/owned-state.ts';
import { getRoomVersion, UNSTABLE_ROOM_VERSIONS } from '../../../../src/matrix/rooms/room-versions.ts';
import { build, buildCreate, makeRoom } from './auth-room.ts';

const LONG_USER = `@${'u'.repeat(252)}:b`;

/** State keys and whose they are. MSC3757. */
const OWNERS: readonly (readonly [stateKey: string, owner: string | null])[] = [
  ['', null],
  ['_@user:b_device', null],
  ['x@user:b', null],
  ['x'.repeat(255), null],
  ['x'.repeat(256), 'too-long'],
  ['@user:b', '@user:b'],
  ['@user:b_', '@user:b'],
  ['@user:b_device', '@user:b'],
  ['@user:b_two_parts:with@signs', '@user:b'],
  ['@with_underscores:b_device', '@with_underscores:b'],
  ['@with_underscores:b', '@with_underscores:b'],
  ['@user:b:8448_device', '@user:b:8448'],
  ['@user:[::1]_device', '@user:[::1]'],
  [`@user:b_${'x'.repeat(255)}`, '@user:b'],
  [`@user:b_${'x'.repeat(256)}`, 'too-long'],
  [`@user:b_${'é'.repeat(128)}`, 'too-long'],
  [`${LONG_USER}_${'x'.repeat(255)}`, LONG_USER],
  ['@oops', 'malformed'],
  ['@oops_device', 'malformed'],
  ['@user:', 'malformed'],
  ['@user:_device', 'malformed'],
  ['@user:b@state_key_suffix', 'malformed'],
  ['@user:b.evil$', 'malformed'],
];

/** Who may set which state; @alice:a has level 100, @mod:a 50, @user:b 0, as has whoever is not named. */
const CASES: readonly (readonly [sender: string, stateKey: string, may: boolean])[] = [
  ['@user:b', '@user:b', true],
  ['@user:b', '@user:b_device', true],
  ['@user:b', '_anything', true],
  ['@user:b', '@mod:a', false],
  ['@user:b', '@mod:a_device', false],
  ['@user:b', '@other:b_device', false],
  ['@user:b', '@user:b.evil.example_device', false],
  ['@mod:a', '@user:b', true],
  ['@mod:a', '@user:b_device', true],
  ['@mod:a', '@nobody:c_device', true],
  ['@mod:a', '@alice:a_device', false],
  ['@mod:a', '@peer:c_device', false],
  ['@alice:a', '@mod:a_device', true],
  ['@alice:a', '@oops', false],
  ['@alice:a', '@alice:a@state', false],
  ['@alice:a', `@alice:a_${'x'.repeat(256)}`, false],
];

const LEVELS = { state_default: 0, users: { '@alice:a': 100, '@mod:a': 50, '@peer:c': 50 } };

describe('owned state', () => {
  for (const [stateKey, owner] of OWNERS)
    it(`says that ${JSON.stringify(stateKey.slice(0, 40))} (${stateKey.length}) is of ${String(owner).slice(0, 30)}`, () => {
      expect(ownerOfStateKey(stateKey)).to.equal(owner);
    });

  for (const { id } of UNSTABLE_ROOM_VERSIONS) {
    const room = makeRoom(id, { levels: LEVELS });
    for (const [sender, stateKey, may] of CASES)
      it(`${may ? 'lets' : 'does not let'} ${sender} set ${stateKey.slice(0, 40)} in room version ${id}`, () => {
        expect(room.ask({ type: 'x.owned', sender, stateKey })).to.equal(may ? 'ok' : '8');
      });

    it(`takes state keys of up to 511 bytes in room version ${id}`, () => {
      const version = getRoomVersion(id);
      const create = buildCreate(version);
      const proposal = { version, roomId: create.roomId, sender: '@alice:a', type: 'x.owned', content: {} };
      const place = { prevEvents: [], authEvents: [], depth: 2, originServerTs: 2 };
      const longest = `${LONG_USER}_${'x'.repeat(255)}`;
      const { pdu } = build({ ...proposal, ...place, stateKey: longest });
      expect(checkPduFormat(version, pdu)).to.equal(null);
      expect(checkPduFormat(version, { ...pdu, state_key: `${longest}x` })).to.include({
        errcode: 'M_BAD_JSON',
      });
      expect(() => build({ ...proposal, ...place, stateKey: `${longest}x` })).to.throw('511');
      const stable = getRoomVersion(id.slice(-2));
      expect(checkPduFormat(stable, pdu)).to.include({ errcode: 'M_BAD_JSON' });
    });
  }

  it('is not known to other room versions', () => {
    const room = makeRoom('11', { levels: LEVELS });
    expect(room.ask({ type: 'x.owned', sender: '@user:b', stateKey: '@user:b_device' })).to.equal('8');
    expect(room.ask({ type: 'x.owned', sender: '@alice:a', stateKey: '@user:b' })).to.equal('8');
  });
});
