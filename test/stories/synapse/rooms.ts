import { expect } from 'chai';
import {
  clientPath,
  type Guest,
  get,
  joinVia,
  type Meeting,
  put,
  stateOf,
} from '../../support/synapse/meeting.ts';
import { memberOf, messageOf } from '../../support/watcher.ts';

const VERSIONS = ['10', '11', '12'];

/** Rooms in all the versions that matter, made on either side. */
export function describeRooms(getMeeting: () => Meeting): void {
  describe('rooms', () => {
    let ann: Guest;
    let bob: Guest;

    before(async () => {
      ann = await getMeeting().guest('troupe', 'ann');
      bob = await getMeeting().guest('synapse', 'bob');
    });

    /** `host` makes a room, `other` joins by alias; they talk, and agree on the state. */
    async function meet(host: Guest, other: Guest, version: string): Promise<void> {
      const alias = `room-${version}-${host === ann ? 'a' : 'b'}`;
      const roomId = await host.createRoom({
        room_version: version,
        preset: 'public_chat',
        room_alias_name: alias,
        name: `Version ${version}`,
      });
      await host.send(roomId, `before-${version}`, 'is anybody out there?');
      expect(await joinVia(other, `#${alias}:${host.serverName}`)).to.equal(roomId);
      await host.until(`the join of ${other.userId}`, (seen) => memberOf(seen, roomId, other.userId));
      await other.send(roomId, `from-guest-${version}`, 'yes, me');
      await host.until('what the guest says', (seen) => messageOf(seen, roomId, 'yes, me'));
      await host.send(roomId, `from-host-${version}`, 'welcome');
      await other.until('what the host says', (seen) => messageOf(seen, roomId, 'welcome'));
      await put(host, clientPath`/rooms/${roomId}/state/m.room.topic/`, { topic: 'each other' });
      await other.until('the topic', (seen) =>
        seen.events(roomId).find(({ type }) => type === 'm.room.topic'),
      );
      expect(await stateOf(other, roomId)).to.deep.equal(await stateOf(host, roomId));
    }

    for (const version of VERSIONS) {
      it(`of version ${version}, made by Troupe`, () => meet(ann, bob, version));
      it(`of version ${version}, made by Synapse`, () => meet(bob, ann, version));
    }

    it('joined by id, with the name of a server that is in them; then seen by others of the same server at once', async () => {
      const roomId = await ann.createRoom({ preset: 'public_chat' });
      await joinVia(bob, roomId, ann.serverName);
      await ann.until('the join', (seen) => memberOf(seen, roomId, bob.userId));
      const theirs = await bob.createRoom({ preset: 'public_chat' });
      await joinVia(ann, theirs, bob.serverName);
      await bob.until('the join', (seen) => memberOf(seen, theirs, ann.userId));
      const members = await get(ann, clientPath`/rooms/${theirs}/joined_members`);
      expect(members['joined']).to.have.all.keys(ann.userId, bob.userId);
    });

    it('show who joins what was said before', async () => {
      const roomId = await bob.createRoom({ preset: 'public_chat' });
      for (const number of [1, 2, 3]) await bob.send(roomId, `old-${number}`, `old ${number}`);
      await joinVia(ann, roomId, bob.serverName);
      const page = await get(ann, clientPath`/rooms/${roomId}/messages`, { dir: 'b', limit: '50' });
      const bodies = (page['chunk'] as readonly { content: { body?: string } }[])
        .map(({ content }) => content.body)
        .filter((body) => body !== undefined);
      expect(bodies).to.deep.equal(['old 3', 'old 2', 'old 1']);
    });
  });
}
