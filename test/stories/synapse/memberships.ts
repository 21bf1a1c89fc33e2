import { expect } from 'chai';
import type { JsonObject } from '../../../src/kit/json.ts';
import {
  clientPath,
  type Guest,
  joinVia,
  type Meeting,
  post,
  put,
  stateOf,
} from '../../support/synapse/meeting.ts';
import { memberOf, messageOf } from '../../support/watcher.ts';

const WAYS = ['of Troupe', 'of Synapse'] as const;

/** Who comes and goes, between rooms of the one and users of the other. */
export function describeMemberships(getMeeting: () => Meeting): void {
  let eve: Guest;
  let fay: Guest;
  const sides = (way: (typeof WAYS)[number]): readonly [Guest, Guest] =>
    way === 'of Troupe' ? [eve, fay] : [fay, eve];
  const membershipIs =
    (roomId: string, userId: string, membership: string) =>
    (seen: Parameters<typeof memberOf>[0]): boolean =>
      memberOf(seen, roomId, userId)?.content['membership'] === membership;

  before(async () => {
    eve = await getMeeting().guest('troupe', 'eve');
    fay = await getMeeting().guest('synapse', 'fay');
  });

  for (const way of WAYS) {
    describe(`memberships in rooms ${way}`, () => {
      it('invites somebody, who comes', async () => {
        const [host, other] = sides(way);
        const roomId = await host.createRoom({ preset: 'private_chat', name: 'Just us' });
        await host.invite(roomId, other.userId);
        const stripped = await other.until('the invitation', (seen) => seen.invite(roomId));
        expect(stripped.find(({ type }) => type === 'm.room.name')?.content).to.deep.equal({
          name: 'Just us',
        });
        expect(stripped.some(({ type }) => type === 'm.room.create')).to.equal(true);
        await other.join(roomId);
        await host.until('the join', membershipIs(roomId, other.userId, 'join'));
        await other.send(roomId, 'thanks', 'thanks for having me');
        await host.until('thanks', (seen) => messageOf(seen, roomId, 'thanks for having me'));
      });

      it('invites somebody to a direct chat as it is made', async () => {
        const [host, other] = sides(way);
        const roomId = await host.createRoom({
          preset: 'trusted_private_chat',
          is_direct: true,
          invite: [other.userId],
        });
        const stripped = await other.until('the invitation', (seen) => seen.invite(roomId));
        const own = stripped.find(({ state_key: stateKey }) => stateKey === other.userId);
        expect(own?.content['is_direct']).to.equal(true);
        await other.join(roomId);
        await host.until('the join', membershipIs(roomId, other.userId, 'join'));
      });

      it('invites somebody, who does not want to come', async () => {
        const [host, other] = sides(way);
        const roomId = await host.createRoom({ preset: 'private_chat' });
        await host.invite(roomId, other.userId);
        await other.until('the invitation', (seen) => seen.invite(roomId));
        await other.leave(roomId);
        await host.until('the rejection', membershipIs(roomId, other.userId, 'leave'));
      });

      it('takes an invitation back', async () => {
        const [host, other] = sides(way);
        const roomId = await host.createRoom({ preset: 'private_chat' });
        await host.invite(roomId, other.userId);
        await other.until('the invitation', (seen) => seen.invite(roomId));
        await post(host, clientPath`/rooms/${roomId}/kick`, { user_id: other.userId });
        await other.until('its end', (seen) => seen.membership(roomId) === 'leave');
      });

      it('lets somebody in who knocks', async () => {
        const [host, other] = sides(way);
        const roomId = await host.createRoom({
          preset: 'private_chat',
          name: 'Knock first',
          initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }],
        });
        const query = { via: [host.serverName], server_name: [host.serverName] };
        const knocked = await other.http.post(clientPath`/knock/${roomId}`, { reason: 'please' }, { query });
        expect(knocked.status, knocked.text).to.equal(200);
        await host.until('the knock', membershipIs(roomId, other.userId, 'knock'));
        const stripped = await other.until('its own knock', (seen) => seen.knock(roomId));
        expect(stripped.find(({ type }) => type === 'm.room.name')?.content).to.deep.equal({
          name: 'Knock first',
        });
        await host.invite(roomId, other.userId);
        await other.until('the invitation', (seen) => seen.invite(roomId));
        await other.join(roomId);
        await host.until('the join', membershipIs(roomId, other.userId, 'join'));
      });

      it('lets somebody in who is in a room that it trusts, and nobody else', async () => {
        const [host, other] = sides(way);
        const club = await host.createRoom({ preset: 'public_chat' });
        const backRoom = await host.createRoom({
          preset: 'private_chat',
          initial_state: [
            {
              type: 'm.room.join_rules',
              content: {
                join_rule: 'restricted',
                allow: [{ type: 'm.room_membership', room_id: club }],
              },
            },
          ],
        });
        const query = { via: [host.serverName], server_name: [host.serverName] };
        const refused = await other.http.post(clientPath`/join/${backRoom}`, {}, { query });
        expect(refused.status, refused.text).to.equal(403);
        await joinVia(other, club, host.serverName);
        await host.until('the member of the club', membershipIs(club, other.userId, 'join'));
        await joinVia(other, backRoom, host.serverName);
        await host.until('the join', membershipIs(backRoom, other.userId, 'join'));
      });

      it('sees somebody leave and come back', async () => {
        const [host, other] = sides(way);
        const roomId = await host.createRoom({ preset: 'public_chat' });
        await joinVia(other, roomId, host.serverName);
        await host.until('the join', membershipIs(roomId, other.userId, 'join'));
        await other.leave(roomId);
        await host.until('the leave', membershipIs(roomId, other.userId, 'leave'));
        await host.send(roomId, 'alone', 'all alone');
        await joinVia(other, roomId, host.serverName);
        await host.until('the second join', membershipIs(roomId, other.userId, 'join'));
        await host.send(roomId, 'again', 'there you are');
        await other.until('the greeting', (seen) => messageOf(seen, roomId, 'there you are'));
        expect(await stateOf(other, roomId)).to.deep.equal(await stateOf(host, roomId));
      });

      it('bans somebody, who stays out until that is over', async () => {
        const [host, other] = sides(way);
        const roomId = await host.createRoom({ preset: 'public_chat' });
        await joinVia(other, roomId, host.serverName);
        await host.until('the join', membershipIs(roomId, other.userId, 'join'));
        await post(host, clientPath`/rooms/${roomId}/ban`, { user_id: other.userId, reason: 'noise' });
        await other.until('the ban', (seen) => seen.membership(roomId) === 'leave');
        const query = { via: [host.serverName], server_name: [host.serverName] };
        const refused = await other.http.post(clientPath`/join/${roomId}`, {}, { query });
        expect(refused.status, refused.text).to.equal(403);
        expect((refused.body as JsonObject)['errcode']).to.equal('M_FORBIDDEN');
        await post(host, clientPath`/rooms/${roomId}/unban`, { user_id: other.userId });
        await joinVia(other, roomId, host.serverName);
        await host.until('the join', membershipIs(roomId, other.userId, 'join'));
      });

      it('lets a moderator of the other server work', async () => {
        const [host, other] = sides(way);
        const roomId = await host.createRoom({
          room_version: '11',
          preset: 'public_chat',
          power_level_content_override: { users: { [host.userId]: 100, [other.userId]: 50 } },
        });
        await joinVia(other, roomId, host.serverName);
        await put(other, clientPath`/rooms/${roomId}/state/m.room.name/`, { name: 'Renamed' });
        await host.until('the name', (seen) =>
          seen.events(roomId).find(({ content }) => content['name'] === 'Renamed'),
        );
        expect(await stateOf(other, roomId)).to.deep.equal(await stateOf(host, roomId));
      });
    });
  }

  // The other way round Synapse keeps it to itself, and neither tells that a knock was turned down nor hears it (its issue 18030).
  it('memberships in rooms of Synapse: sees somebody of Troupe think better of their knock', async () => {
    const roomId = await fay.createRoom({
      preset: 'private_chat',
      initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }],
    });
    const query = { via: [fay.serverName] };
    const knocked = await eve.http.post(clientPath`/knock/${roomId}`, {}, { query });
    expect(knocked.status, knocked.text).to.equal(200);
    await fay.until('the knock', membershipIs(roomId, eve.userId, 'knock'));
    await eve.until('their own knock', (seen) => seen.knock(roomId));
    await eve.leave(roomId);
    await fay.until('its end', membershipIs(roomId, eve.userId, 'leave'));
    await eve.until('their own end', (seen) => seen.membership(roomId) === 'leave');
  });
}
