import { expect } from 'chai';
import {
  clientPath,
  type Guest,
  get,
  joinVia,
  type Meeting,
  post,
  put,
  shareRoom,
  stateOf,
} from '../../support/synapse/meeting.ts';
import { eventually } from '../../support/person.ts';
import { memberOf, messageOf } from '../../support/watcher.ts';

/** Nobody hears of the other for a while, and both go on. */
export function describePartition(getMeeting: () => Meeting): void {
  describe('a partition', () => {
    let kim: Guest;
    let leo: Guest;

    before(async () => {
      kim = await getMeeting().guest('troupe', 'kim');
      leo = await getMeeting().guest('synapse', 'leo');
    });
    afterEach(() => getMeeting().reunite());

    for (const version of ['10', '11', '12']) {
      it(`ends in one state and with everything that was said, in a room of version ${version}`, async () => {
        const meeting = getMeeting();
        const users = version === '12' ? { [leo.userId]: 100 } : { [kim.userId]: 100, [leo.userId]: 100 };
        const roomId = await shareRoom(kim, leo, {
          room_version: version,
          power_level_content_override: { users },
        });
        await leo.send(roomId, `together-${version}`, 'together');
        await kim.until('what was said together', (seen) => messageOf(seen, roomId, 'together'));
        meeting.part();
        const both = [kim, leo];
        await Promise.all(
          both.map(async (guest) => {
            const state = clientPath`/rooms/${roomId}/state`;
            for (const number of [1, 2, 3])
              await guest.send(roomId, `apart-${version}-${number}`, `${guest.userId} alone ${number}`);
            await put(guest, `${state}/m.room.topic/`, { topic: `what ${guest.userId} thinks` });
            await put(guest, `${state}/org.example.own/${encodeURIComponent(guest.serverName)}`, { n: 1 });
            await guest.send(roomId, `apart-${version}-4`, `${guest.userId} alone 4`);
          }),
        );
        await put(kim, clientPath`/rooms/${roomId}/state/m.room.name/`, {
          name: 'The name of the partition',
        });
        await meeting.reunite();
        await kim.send(roomId, `after-${version}-kim`, `kim again`);
        await leo.send(roomId, `after-${version}-leo`, `leo again`);
        for (const guest of both)
          for (const other of both)
            for (const text of [
              `${other.userId} alone 1`,
              `${other.userId} alone 4`,
              other === kim ? 'kim again' : 'leo again',
            ])
              await guest.until(text, (seen) => messageOf(seen, roomId, text));
        const [mine, theirs] = await eventually('one state', async () => {
          const states = [await stateOf(kim, roomId), await stateOf(leo, roomId)] as const;
          return JSON.stringify([...states[0]]) === JSON.stringify([...states[1]]) ? states : undefined;
        }).catch(async () => [await stateOf(kim, roomId), await stateOf(leo, roomId)] as const);
        expect(mine).to.deep.equal(theirs);
        expect(mine.has(`org.example.own ${kim.serverName}`)).to.equal(true);
        expect(mine.has(`org.example.own ${leo.serverName}`)).to.equal(true);
      });
    }

    it('in which both decided about the same ends the same way for both', async () => {
      const meeting = getMeeting();
      const roomId = await shareRoom(kim, leo, {
        room_version: '11',
        power_level_content_override: { users: { [kim.userId]: 100, [leo.userId]: 50 } },
      });
      const mia = await getMeeting().guest('synapse', 'mia');
      await joinVia(mia, roomId, kim.serverName);
      await kim.until('the third', (seen) => memberOf(seen, roomId, mia.userId));
      await mia.until('the room', (seen) => seen.membership(roomId) === 'join');
      meeting.part();
      // She may not any more what he does meanwhile, and has banned whom he renames the room with.
      const levels = { ...(await get(kim, clientPath`/rooms/${roomId}/state/m.room.power_levels/`)) };
      levels['users'] = { [kim.userId]: 100, [leo.userId]: 0 };
      await put(kim, clientPath`/rooms/${roomId}/state/m.room.power_levels/`, levels);
      await post(kim, clientPath`/rooms/${roomId}/ban`, { user_id: mia.userId });
      await put(leo, clientPath`/rooms/${roomId}/state/m.room.name/`, { name: 'A name of his own' });
      await put(leo, clientPath`/rooms/${roomId}/state/m.room.topic/`, { topic: 'A topic of his own' });
      await mia.send(roomId, 'unaware', 'still here');
      await meeting.reunite();
      await kim.send(roomId, 'after-conflict-kim', 'kim is back');
      await leo.until('her', (seen) => messageOf(seen, roomId, 'kim is back'));
      await leo.send(roomId, 'after-conflict-leo', 'leo is back');
      await kim.until('him', (seen) => messageOf(seen, roomId, 'leo is back'));
      await mia.until('her ban', (seen) => seen.membership(roomId) === 'leave');
      const [mine, theirs] = [await stateOf(kim, roomId), await stateOf(leo, roomId)];
      expect(theirs).to.deep.equal(mine);
      expect(mine.has('m.room.name ')).to.equal(false);
      const { membership } = await get(leo, clientPath`/rooms/${roomId}/state/m.room.member/${mia.userId}`);
      expect(membership).to.equal('ban');
    });
  });
}
