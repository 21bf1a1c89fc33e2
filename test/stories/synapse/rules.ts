import { expect } from 'chai';
import type { JsonObject } from '../../../src/kit/json.ts';
import {
  clientPath,
  type Guest,
  get,
  joinVia,
  type Meeting,
  post,
  put,
  stateOf,
} from '../../support/synapse/meeting.ts';
import { textOf } from '../../support/person.ts';
import { memberOf, messageOf } from '../../support/watcher.ts';

/** Rooms with rules of their own, or of their time. */
export function describeRules(getMeeting: () => Meeting): void {
  describe('rules of rooms', () => {
    let oda: Guest;
    let pit: Guest;
    const ways = (): readonly (readonly [Guest, Guest])[] => [
      [oda, pit],
      [pit, oda],
    ];

    before(async () => {
      oda = await getMeeting().guest('troupe', 'oda');
      pit = await getMeeting().guest('synapse', 'pit');
    });

    for (const version of ['1', '3', '6', '9'])
      it(`of version ${version} are still known to both`, async () => {
        for (const [host, other] of ways()) {
          const roomId = await host.createRoom({ room_version: version, preset: 'public_chat' });
          await host.send(roomId, `old-rules-${version}`, 'before');
          await joinVia(other, roomId, host.serverName);
          await host.until('the join', (seen) => memberOf(seen, roomId, other.userId));
          const said = await other.send(roomId, `said-${version}`, 'what I said');
          await host.until('what was said', (seen) => messageOf(seen, roomId, 'what I said'));
          await put(other, clientPath`/rooms/${roomId}/redact/${said}/taken-back-${version}`, {});
          await host.until('the redaction', (seen) =>
            seen.events(roomId).find(({ type }) => type === 'm.room.redaction'),
          );
          expect((await get(host, clientPath`/rooms/${roomId}/event/${said}`))['content']).to.deep.equal({});
          expect(await stateOf(other, roomId)).to.deep.equal(await stateOf(host, roomId));
        }
      });

    it('keep a server out', async () => {
      for (const [host, other] of ways()) {
        const roomId = await host.createRoom({ preset: 'public_chat' });
        await joinVia(other, roomId, host.serverName);
        await host.until('the join', (seen) => memberOf(seen, roomId, other.userId));
        await put(host, clientPath`/rooms/${roomId}/state/m.room.server_acl/`, {
          allow: ['*'],
          deny: [other.serverName.replace(/:\d+$/, '')],
          allow_ip_literals: true,
        });
        await other.until('the list', (seen) =>
          seen.events(roomId).find(({ type }) => type === 'm.room.server_acl'),
        );
        await other.send(roomId, `unheard-${other.userId}`, 'can you hear me?');
        // Another room of both tells when the transaction with that has come.
        const second = await host.createRoom({ preset: 'public_chat' });
        await joinVia(other, second, host.serverName);
        await other.send(second, `heard-${other.userId}`, 'and here?');
        await host.until('the second room', (seen) => messageOf(seen, second, 'and here?'));
        await host.until(
          'silence in the first',
          (seen) => messageOf(seen, roomId, 'can you hear me?') === undefined,
        );
      }
    });

    it('move to a new room, where the others follow', async () => {
      for (const [host, other] of ways()) {
        const roomId = await host.createRoom({ room_version: '11', preset: 'public_chat' });
        await joinVia(other, roomId, host.serverName);
        await host.until('the join', (seen) => memberOf(seen, roomId, other.userId));
        const upgraded = await post(host, clientPath`/rooms/${roomId}/upgrade`, { new_version: '12' });
        const tombstone = await other.until('the tombstone', (seen) =>
          seen.events(roomId).find(({ type }) => type === 'm.room.tombstone'),
        );
        const next = textOf(upgraded, 'replacement_room');
        expect(tombstone.content['replacement_room']).to.equal(next);
        await joinVia(other, next, host.serverName);
        const create = await get(other, clientPath`/rooms/${next}/state/m.room.create/`);
        expect((create['predecessor'] as JsonObject)['room_id']).to.equal(roomId);
        expect(create['room_version']).to.equal('12');
      }
    });

    it('let both find what was said when', async () => {
      for (const [host, other] of ways()) {
        const roomId = await host.createRoom({ preset: 'public_chat' });
        const first = await host.send(roomId, `then-${host.userId}`, 'then');
        const { origin_server_ts: ts } = await get(host, clientPath`/rooms/${roomId}/event/${first}`);
        await host.send(roomId, `now-${host.userId}`, 'now');
        await joinVia(other, roomId, host.serverName);
        const found = await get(
          other,
          `/_matrix/client/v1/rooms/${encodeURIComponent(roomId)}/timestamp_to_event`,
          { ts: JSON.stringify(ts), dir: 'f' },
        );
        expect(found['event_id']).to.equal(first);
      }
    });
  });
}
