import { expect } from 'chai';
import {
  clientPath,
  type Guest,
  get,
  type Meeting,
  put,
  shareRoom,
  stateOf,
} from '../../support/synapse/meeting.ts';
import { eventually, type SeenEvent, textOf } from '../../support/person.ts';
import { memberOf, messageOf } from '../../support/watcher.ts';

/** More than one question for missing events brings. */
const MISSED = 30;

/** One does not hear of the other for a while; what was missed comes later. */
export function describeOutages(getMeeting: () => Meeting): void {
  describe('after an outage', () => {
    let meg: Guest;
    let ned: Guest;
    const ways = (): readonly (readonly [Guest, Guest])[] => [
      [meg, ned],
      [ned, meg],
    ];

    before(async () => {
      meg = await getMeeting().guest('troupe', 'meg');
      ned = await getMeeting().guest('synapse', 'ned');
    });
    afterEach(() => getMeeting().reunite());

    /** The texts of the last messages, the newest first. */
    async function lastTexts(reader: Guest, roomId: string, count: number): Promise<readonly unknown[]> {
      const query = { dir: 'b', limit: String(count), filter: '{"types":["m.room.message"]}' };
      const page = await get(reader, clientPath`/rooms/${roomId}/messages`, query);
      return (page['chunk'] as unknown as readonly SeenEvent[]).map(({ content }) => content['body']);
    }

    it('a long conversation is there, both ways', async () => {
      const meeting = getMeeting();
      for (const [writer, reader] of ways()) {
        const roomId = await shareRoom(writer, reader);
        meeting.part();
        const texts: string[] = [];
        for (let number = 1; number <= MISSED; number += 1) {
          const text = `${writer.userId} says ${number}`;
          await writer.send(roomId, `long-${writer.userId}-${number}`, text);
          texts.unshift(text);
        }
        const key = encodeURIComponent(writer.userId);
        await put(writer, `${clientPath`/rooms/${roomId}/state/org.example.missed`}/${key}`, {
          is: 'missed',
        });
        await meeting.reunite();
        // A server that hears of another tells it what waits.
        await reader.type(roomId, true);
        await writer.send(roomId, `last-${writer.userId}`, 'the last word');
        await reader.until('the last word', (seen) => messageOf(seen, roomId, 'the last word'));
        await eventually('the whole conversation', async () => {
          const seen = await lastTexts(reader, roomId, MISSED + 1);
          return JSON.stringify(seen) === JSON.stringify(['the last word', ...texts]);
        });
        expect(await stateOf(reader, roomId)).to.deep.equal(await stateOf(writer, roomId));
      }
    });

    it('messages to devices come, once', async () => {
      const meeting = getMeeting();
      await shareRoom(meg, ned);
      for (const [writer, reader] of ways()) {
        const deviceId = textOf(await get(reader, clientPath`/account/whoami`), 'device_id');
        meeting.part();
        for (const number of [1, 2])
          await put(
            writer,
            clientPath`/sendToDevice/org.example.outage/txn-${`${writer.userId} ${number}`}`,
            {
              messages: { [reader.userId]: { [deviceId]: { number } } },
            },
          );
        await meeting.reunite();
        const roomId = await shareRoom(reader, writer);
        await writer.send(roomId, `wake-${writer.userId}`, 'good morning');
        const got = await reader.until('both messages', (seen) => {
          const messages = seen.toDevice.filter(({ type }) => type === 'org.example.outage');
          return messages.length >= 2 && messages;
        });
        expect(got.map(({ content }) => content['number'])).to.deep.equal([1, 2]);
        await reader.until('the greeting', (seen) => messageOf(seen, roomId, 'good morning'));
        await reader.until('no third', (seen) => seen.toDevice.length === got.length);
      }
    });

    it('of a Troupe that was killed with things to tell, they are told', async () => {
      const meeting = getMeeting();
      const roomId = await shareRoom(meg, ned);
      meeting.part();
      await meg.send(roomId, 'last-words', 'if anybody hears this');
      await meeting.troupe.killAndRestart();
      await meeting.reunite();
      await ned.until('the last words', (seen) => messageOf(seen, roomId, 'if anybody hears this'));
      await ned.send(roomId, 'heard', 'I did');
      await meg.until('the answer', (seen) => messageOf(seen, roomId, 'I did'));
    });

    it('an invitation that was turned down in the meantime does not come back', async () => {
      const meeting = getMeeting();
      const roomId = await ned.createRoom({ preset: 'private_chat' });
      await ned.invite(roomId, meg.userId);
      await meg.until('the invitation', (seen) => seen.invite(roomId));
      meeting.part();
      await meg.leave(roomId);
      await meg.until('its end', (seen) => seen.membership(roomId) === 'leave');
      await meeting.reunite();
      const other = await ned.createRoom({ preset: 'private_chat' });
      await ned.invite(other, meg.userId);
      await meg.until('another invitation', (seen) => seen.invite(other));
      // The server that did not answer a moment ago is not asked in this one.
      await eventually(
        'a way in',
        async () => (await meg.http.post(clientPath`/join/${other}`, {})).status === 200,
      );
      await ned.until(
        'the join',
        (seen) => memberOf(seen, other, meg.userId)?.content['membership'] === 'join',
      );
    });
  });
}
