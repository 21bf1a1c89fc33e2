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
} from '../../support/synapse/meeting.ts';
import { eventually, textOf } from '../../support/person.ts';
import { memberOf } from '../../support/watcher.ts';

/** What the users of one find out about users and rooms of the other. */
export function describeDirectory(getMeeting: () => Meeting): void {
  describe('what is to be found', () => {
    let gus: Guest;
    let hal: Guest;
    const ways = (): readonly (readonly [Guest, Guest])[] => [
      [gus, hal],
      [hal, gus],
    ];

    before(async () => {
      gus = await getMeeting().guest('troupe', 'gus');
      hal = await getMeeting().guest('synapse', 'hal');
    });

    it('are names of users, and nobody who is not there', async () => {
      for (const [asker, asked] of ways()) {
        const name = `The one at ${asked.serverName}`;
        await put(asked, clientPath`/profile/${asked.userId}/displayname`, { displayname: name });
        const profile = await get(asker, clientPath`/profile/${asked.userId}`);
        expect(profile['displayname']).to.equal(name);
        const nobody = await asker.http.get(clientPath`/profile/${`@nobody:${asked.serverName}`}`);
        expect(nobody.status).to.equal(404);
        expect((nobody.body as JsonObject)['errcode']).to.equal('M_NOT_FOUND');
      }
    });

    it('are aliases, and which servers help to join them', async () => {
      for (const [asker, asked] of ways()) {
        const roomId = await asked.createRoom({ preset: 'public_chat', room_alias_name: 'find-me' });
        const found = await get(asker, clientPath`/directory/room/${`#find-me:${asked.serverName}`}`);
        expect(found['room_id']).to.equal(roomId);
        expect(found['servers']).to.include(asked.serverName);
        const nothing = await asker.http.get(clientPath`/directory/room/${`#nothing:${asked.serverName}`}`);
        expect(nothing.status).to.equal(404);
      }
    });

    it('are public rooms, by a word too', async () => {
      for (const [asker, asked] of ways()) {
        const roomId = await asked.createRoom({
          preset: 'public_chat',
          visibility: 'public',
          name: `Zebras at ${asked.serverName}`,
        });
        await asked.createRoom({ preset: 'public_chat', visibility: 'public', name: 'Lions' });
        const list = async (body: JsonObject): Promise<readonly string[]> => {
          const answer = await asker.http.post(clientPath`/publicRooms`, body, {
            query: { server: asked.serverName },
          });
          expect(answer.status, answer.text).to.equal(200);
          const chunk = (answer.body as JsonObject)['chunk'] as readonly JsonObject[];
          return chunk.map((room) => textOf(room, 'room_id'));
        };
        await eventually('the room in the directory', async () => (await list({})).includes(roomId));
        expect(await list({ filter: { generic_search_term: 'zebras' } })).to.deep.equal([roomId]);
      }
    });

    it('are spaces and the rooms in them', async () => {
      for (const [asker, asked] of ways()) {
        const child = await asked.createRoom({ preset: 'public_chat', name: 'A room of the space' });
        const space = await asked.createRoom({
          preset: 'public_chat',
          name: 'A space',
          creation_content: { type: 'm.space' },
        });
        await put(asked, clientPath`/rooms/${space}/state/m.space.child/${child}`, {
          via: [asked.serverName],
        });
        await joinVia(asker, space, asked.serverName);
        const found = await get(asker, `/_matrix/client/v1/rooms/${encodeURIComponent(space)}/hierarchy`);
        const rooms = found['rooms'] as readonly JsonObject[];
        expect(rooms.map((room) => room['room_id'])).to.deep.equal([space, child]);
        expect(rooms[1]?.['name']).to.equal('A room of the space');
      }
    });

    it('are new names of those who share a room', async () => {
      for (const [asker, asked] of ways()) {
        const roomId = await asked.createRoom({ preset: 'public_chat' });
        await joinVia(asker, roomId, asked.serverName);
        const name = `Renamed ${asked.serverName}`;
        await put(asked, clientPath`/profile/${asked.userId}/displayname`, { displayname: name });
        await asker.until('the new name', (seen) => {
          const member = memberOf(seen, roomId, asked.userId);
          return member?.content['displayname'] === name;
        });
      }
    });

    it('is who says they are who', async () => {
      for (const [asker] of ways()) {
        const token = await post(asker, clientPath`/user/${asker.userId}/openid/request_token`);
        const { troupe, synapse } = getMeeting();
        const own = asker.serverName === troupe.serverName ? troupe.http : synapse.http;
        const answer = await own.get('/_matrix/federation/v1/openid/userinfo', {
          query: { access_token: textOf(token, 'access_token') },
          token: null,
        });
        expect(answer.body).to.deep.equal({ sub: asker.userId });
      }
    });
  });
}
