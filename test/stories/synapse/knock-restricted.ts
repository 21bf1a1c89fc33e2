import { expect } from 'chai';
import type { JsonObject } from '../../../src/kit/json.ts';
import {
  clientPath,
  type Guest,
  joinVia,
  type Meeting,
  post,
  stateOf,
} from '../../support/synapse/meeting.ts';
import { memberOf, messageOf } from '../../support/watcher.ts';

/** Version 11, between them, is that of the last scenarios. */
const VERSIONS = ['10', '12'];
const AUTHORISED_VIA = 'join_authorised_via_users_server';

/** Rooms for the members of another room, at whose door all others knock. */
export function describeKnockRestricted(getMeeting: () => Meeting): void {
  describe('rooms that let in members of another room, and hear others knock', () => {
    let wim: Guest;
    let xia: Guest;
    const ways = (): readonly (readonly [Guest, Guest])[] => [
      [wim, xia],
      [xia, wim],
    ];

    before(async () => {
      wim = await getMeeting().guest('troupe', 'wim');
      xia = await getMeeting().guest('synapse', 'xia');
    });

    const memberIs = async (watcher: Guest, roomId: string, userId: string, membership: string) =>
      watcher.until(`${userId} to be ${membership}`, (seen) => {
        const content = memberOf(seen, roomId, userId)?.content;
        return content?.['membership'] === membership && content;
      });
    const throughServer = (host: Guest) => ({
      query: { via: [host.serverName], server_name: [host.serverName] },
    });
    const knock = (guest: Guest, roomId: string, host: Guest): Promise<JsonObject> =>
      guest.http
        .post(clientPath`/knock/${roomId}`, { reason: 'please' }, throughServer(host))
        .then((answer) => {
          expect(answer.status, answer.text).to.equal(200);
          return answer.body as JsonObject;
        });

    /** A public room of somebody, and one for its members. */
    async function clubOf(host: Guest, version: string, more: JsonObject = {}): Promise<[string, string]> {
      const club = await host.createRoom({ preset: 'public_chat' });
      const allow = [{ type: 'm.room_membership', room_id: club }];
      const content = { join_rule: 'knock_restricted', allow };
      const backRoom = await host.createRoom({
        room_version: version,
        preset: 'private_chat',
        name: 'Members only',
        initial_state: [{ type: 'm.room.join_rules', content }],
        ...more,
      });
      return [club, backRoom];
    }

    for (const version of VERSIONS) {
      it(`of version ${version}: members come in, nobody else does`, async () => {
        for (const [host, other] of ways()) {
          const [club, backRoom] = await clubOf(host, version);
          const refused = await other.http.post(clientPath`/join/${backRoom}`, {}, throughServer(host));
          expect(refused.status, refused.text).to.equal(403);
          expect((refused.body as JsonObject)['errcode']).to.equal('M_FORBIDDEN');
          await joinVia(other, club, host.serverName);
          await memberIs(host, club, other.userId, 'join');
          await joinVia(other, backRoom, host.serverName);
          const member = await memberIs(host, backRoom, other.userId, 'join');
          expect(member[AUTHORISED_VIA]).to.equal(host.userId);
          await other.send(backRoom, `inside-${version}`, 'so this is where you meet');
          await host.until('a word from inside', (seen) =>
            messageOf(seen, backRoom, 'so this is where you meet'),
          );
          expect(await stateOf(other, backRoom)).to.deep.equal(await stateOf(host, backRoom));
        }
      });

      it(`of version ${version}: others knock, and are invited`, async () => {
        for (const [host, other] of ways()) {
          const [, backRoom] = await clubOf(host, version);
          await knock(other, backRoom, host);
          const { reason } = await memberIs(host, backRoom, other.userId, 'knock');
          expect(reason).to.equal('please');
          const stripped = await other.until('the own knock', (seen) => seen.knock(backRoom));
          expect(stripped.find(({ type }) => type === 'm.room.name')?.content).to.deep.equal({
            name: 'Members only',
          });
          await host.invite(backRoom, other.userId);
          await other.until('the invitation', (seen) => seen.invite(backRoom));
          await other.join(backRoom);
          const member = await memberIs(host, backRoom, other.userId, 'join');
          expect(member).to.not.have.property(AUTHORISED_VIA);
          expect(await stateOf(other, backRoom)).to.deep.equal(await stateOf(host, backRoom));
        }
      });
    }

    it('whoever has knocked and becomes a member meanwhile comes in without an invitation', async () => {
      for (const [host, other] of ways()) {
        const [club, backRoom] = await clubOf(host, '11');
        await knock(other, backRoom, host);
        await memberIs(host, backRoom, other.userId, 'knock');
        await other.until('the own knock', (seen) => seen.knock(backRoom));
        await joinVia(other, club, host.serverName);
        await memberIs(host, club, other.userId, 'join');
        await joinVia(other, backRoom, host.serverName);
        const member = await memberIs(host, backRoom, other.userId, 'join');
        expect(member[AUTHORISED_VIA]).to.equal(host.userId);
        await other.until('the room', (seen) => seen.membership(backRoom) === 'join');
      }
    });

    it('whose server is in the room and may invite nobody is let in by the other', async () => {
      for (const [host, other] of ways()) {
        const friend = await getMeeting().guest(other === xia ? 'synapse' : 'troupe', 'yan');
        const [club, backRoom] = await clubOf(host, '11', {
          power_level_content_override: { invite: 50 },
        });
        for (const guest of [other, friend]) {
          await joinVia(guest, club, host.serverName);
          await memberIs(host, club, guest.userId, 'join');
        }
        await joinVia(other, backRoom, host.serverName);
        await memberIs(host, backRoom, other.userId, 'join');
        await other.until('the room', (seen) => seen.membership(backRoom) === 'join');
        await joinVia(friend, backRoom, host.serverName);
        const member = await memberIs(host, backRoom, friend.userId, 'join');
        expect(member[AUTHORISED_VIA]).to.equal(host.userId);
        await memberIs(other, backRoom, friend.userId, 'join');
      }
    });

    it('a knock that is turned down can be made again', async () => {
      for (const [host, other] of ways()) {
        const [, backRoom] = await clubOf(host, '11');
        await knock(other, backRoom, host);
        await memberIs(host, backRoom, other.userId, 'knock');
        await post(host, clientPath`/rooms/${backRoom}/kick`, { user_id: other.userId });
        await memberIs(host, backRoom, other.userId, 'leave');
        await knock(other, backRoom, host);
        await memberIs(host, backRoom, other.userId, 'knock');
      }
    });
  });
}
