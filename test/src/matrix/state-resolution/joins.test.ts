import { expect } from 'chai';
import { encodeBase64 } from '../../../../src/matrix/events/unpadded-base64.ts';
import { makeServerKey, signJson, verifyKeyOf } from '../../../../src/matrix/signing.ts';
import { ALICE, BOB, EVE, tellStory } from './story.ts';

const FRANK = '@frank:f';
const key = makeServerKey(new Uint8Array(32).fill(9), 'id');
const publicKey = encodeBase64(verifyKeyOf(key).publicKey);
const signed = signJson({ mxid: FRANK, token: 'token' }, 'id.example', key);
const invited = { third_party_invite: { display_name: 'f', signed } };

for (const id of ['2', '9', '12']) {
  describe(`third-party invites, resolved in room version ${id}`, () => {
    it('stand when the invite behind them is not disputed, or counts before them', () => {
      const story = tellStory(id);
      const promised = story.usual.send(ALICE, 'm.room.third_party_invite', 'token', {
        public_key: publicKey,
      });
      const accepted = promised.member(ALICE, FRANK, 'invite', invited, { id: 'invite' });
      const beside = promised.topic(BOB, 'x');
      expect(story.standing([accepted, beside], 'm.room.member', FRANK)).to.equal('$invite');
      const unaware = story.usual.topic(BOB, 'y');
      expect(story.standing([accepted, unaware], 'm.room.member', FRANK)).to.equal('$invite');
    });

    it('fall when the invite behind them was taken back first', () => {
      const story = tellStory(id);
      const promised = story.usual.send(ALICE, 'm.room.third_party_invite', 'token', {
        public_key: publicKey,
      });
      const accepted = promised.member(ALICE, FRANK, 'invite', invited, { id: 'invite', ts: 60 });
      const revoked = promised.send(
        ALICE,
        'm.room.third_party_invite',
        'token',
        {},
        { id: 'revoked', ts: 50 },
      );
      expect(story.standing([accepted, revoked], 'm.room.member', FRANK)).to.equal(undefined);
      expect(story.standing([accepted, revoked], 'm.room.third_party_invite', 'token')).to.equal('$revoked');
    });
  });
}

for (const id of ['8', '11', '12']) {
  describe(`restricted joins, resolved in room version ${id}`, () => {
    const via = { join_authorised_via_users_server: BOB };

    it('stand beside what does not concern them', () => {
      const story = tellStory(id);
      const room = story.usual.joinRule(ALICE, 'restricted');
      const joined = room.member(FRANK, FRANK, 'join', via, { id: 'frank' });
      const other = room.ban(ALICE, EVE, { id: 'ban' });
      expect(story.standing([joined, other], 'm.room.member', FRANK)).to.equal('$frank');
      expect(story.standing([joined, other], 'm.room.member', EVE)).to.equal('$ban');
    });

    it('fall when the member who let them in was banned beside them', () => {
      const story = tellStory(id);
      const room = story.usual.joinRule(ALICE, 'restricted');
      const joined = room.member(FRANK, FRANK, 'join', via, { id: 'frank' });
      const banned = room.ban(ALICE, BOB, { id: 'ban', ts: 999 });
      expect(story.standing([joined, banned], 'm.room.member', FRANK)).to.equal(undefined);
      expect(story.standing([joined, banned], 'm.room.member', BOB)).to.equal('$ban');
    });

    it('fall when that member lost the right to invite', () => {
      const story = tellStory(id);
      const room = story.usual.joinRule(ALICE, 'restricted');
      const joined = room.member(FRANK, FRANK, 'join', via, { id: 'frank' });
      const own = id === '12' ? {} : { [ALICE]: 100 };
      const strict = room.send(ALICE, 'm.room.power_levels', '', {
        invite: 60,
        users: { ...own, [BOB]: 50 },
      });
      expect(story.standing([joined, strict], 'm.room.member', FRANK)).to.equal(undefined);
    });
  });
}
