import { expect } from 'chai';
import { MEMBERS_GIVEN_MAX } from '../../../src/federation/memberships/join-answer.ts';
import { eventually } from '../../support/person.ts';
import {
  clientPath,
  get,
  type Guest,
  joinVia,
  type Meeting,
  post,
  stateOf,
} from '../../support/synapse/meeting.ts';
import { memberOf, messageOf } from '../../support/watcher.ts';

/** Member events beside those who are really there: more than either leaves in its answer to a join. */
const BANNED = MEMBERS_GIVEN_MAX + 10;

/** Joins before the members are there, both ways: MSC3706 and MSC3902. */
export function describeFasterJoins(getMeeting: () => Meeting): void {
  describe('a room with many members', () => {
    let ann: Guest;
    let bob: Guest;

    before(async () => {
      ann = await getMeeting().guest('troupe', 'ann-fast');
      bob = await getMeeting().guest('synapse', 'bob-fast');
    });

    async function makeRoom(host: Guest, name: string): Promise<string> {
      const roomId = await host.createRoom({ preset: 'public_chat', name });
      for (let number = 0; number < BANNED; number += 1)
        await post(host, clientPath`/rooms/${roomId}/ban`, { user_id: `@banned${number}:nowhere.example` });
      return roomId;
    }
    /** They talk while members are missing, and agree when they have come. */
    async function meet(host: Guest, guest: Guest, roomId: string): Promise<void> {
      await joinVia(guest, roomId, host.serverName);
      await guest.send(roomId, 'early', 'already here');
      await host.until('what the guest says', (seen) => messageOf(seen, roomId, 'already here'));
      await host.send(roomId, 'welcome', 'so fast?');
      await guest.until('what the host says', (seen) => messageOf(seen, roomId, 'so fast?'));
      await host.until('the join', (seen) => memberOf(seen, roomId, guest.userId));
      const { chunk } = (await get(guest, clientPath`/rooms/${roomId}/members`)) as {
        chunk: readonly unknown[];
      };
      expect(chunk).to.have.length(BANNED + 2);
      await eventually('the same state on both', async () => {
        const [left, right] = await Promise.all([stateOf(host, roomId), stateOf(guest, roomId)]);
        return JSON.stringify([...left]) === JSON.stringify([...right]);
      });
    }

    it('of Synapse is entered by Troupe before its members are there', async () => {
      const roomId = await makeRoom(bob, 'Synapse’s');
      await meet(bob, ann, roomId);
      const lines = getMeeting().troupe.output().split('\n');
      expect(
        lines.some((line) => line.includes('all members of a room are known') && line.includes(roomId)),
      ).to.equal(true);
    });

    it('of Troupe is entered by Synapse before its members are there', async () => {
      const roomId = await makeRoom(ann, 'Troupe’s');
      await meet(ann, bob, roomId);
      const log = getMeeting().synapse.log();
      expect(
        log.split('\n').some((line) => line.includes('Syncing state for room') && line.includes(roomId)),
      ).to.equal(true);
    });
  });
}
