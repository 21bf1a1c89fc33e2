import { expect } from 'chai';
import { openWriteConnection } from '../../../db/kit/sqlite.ts';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import type { PurgeRequest } from '../../../actors/rooms/protocol.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import { edgeIds } from '../../../src/matrix/events/pdu.ts';
import { checkRoom } from './check-room.ts';
import { type ForeignRoom, openForeignRoom, receive } from './foreign-events.ts';
import { expectPurged, purge, rowOf, actAtRandom, readPicture, readStandings } from './purge-world.ts';
import {
  ALICE,
  BOB,
  CAROL,
  change,
  makeRoom,
  openRoomsHouse,
  refused,
  REMOTE,
  type RoomsHouse,
  sendMessage,
  sendState,
  sent,
} from './rooms-house.ts';

describe('the purge of history', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  for (let seed = 1; seed <= 8; seed += 1)
    it(`leaves what every reader says of what stays as it was, seed ${seed}`, async function () {
      this.timeout(20_000);
      const random = seededRandom(seed);
      const hasForks = seed % 2 === 0;
      const deleteLocalEvents = seed % 4 < 2;
      const roomId = await makeRoom(house, { version: pickVersion(seed) });
      const view = hasForks ? openForeignRoom(roomId, pickVersion(seed)) : null;
      for (const user of [BOB, CAROL]) sent(await change(house, roomId, 'join', user));
      if (view !== null) sent(await change(house, roomId, 'invite', ALICE, REMOTE));
      await actAtRandom(house, roomId, random, { actions: 60, view });
      const before = await readPicture(house, roomId);
      const at = 8 + random.integer(before.forward.length - 10);
      const place = rowOf(before, before.forward[at] as string);
      const positions = before.rows
        .map((row) => row.streamOrdering)
        .filter((position) => position !== null && position >= (place.streamOrdering ?? 0)) as number[];
      const isExact = !hasForks;
      const standings = await readStandings(house, roomId, positions);
      await purge(house, { roomId, beforeEventId: place.eventId }, deleteLocalEvents);
      await expectPurged(
        house,
        roomId,
        before,
        place,
        (row) => !deleteLocalEvents && row.sender.endsWith(':example.com'),
      );
      if (isExact) expect(await readStandings(house, roomId, positions)).to.deep.equal(standings);
      // The room goes on, and a second purge finds the rest.
      sent(await sendMessage(house, roomId, ALICE, 'after'));
      await actAtRandom(house, roomId, random, { actions: 20, view });
      const later = await readPicture(house, roomId);
      const last = rowOf(later, later.forward[later.forward.length - 2] as string);
      await purge(house, { roomId, beforeEventId: last.eventId });
      await expectPurged(house, roomId, later, last, () => false);
    });

  it('keeps a redacted state event redacted, and the redaction with it', async () => {
    const roomId = await makeRoom(house);
    const topic = sent(
      await sendState(house, roomId, ALICE, { type: 'm.room.topic', content: { topic: 'secret' } }),
    );
    const redaction = sent(
      await house.rooms.ask('rooms.redact-event', {
        roomId,
        sender: ALICE,
        eventId: topic.eventId,
        content: {},
        transaction: null,
      }),
    );
    const last = sent(await sendMessage(house, roomId, ALICE, 'last'));
    await purge(house, { roomId, beforeEventId: last.eventId });
    const stored = await findEvent(house.database.db, topic.eventId);
    expect(stored?.redactedBy?.eventId).to.equal(redaction.eventId);
    expect(stored?.streamOrdering).to.equal(null);
  });

  /** A room in which somebody of another server is, and how that server sees it. */
  async function roomWithRemote(): Promise<{ readonly roomId: string; readonly view: ForeignRoom }> {
    const roomId = await makeRoom(house);
    const view = openForeignRoom(roomId, '11');
    await view.adopt(house, sent(await change(house, roomId, 'invite', ALICE, REMOTE)).eventId);
    return { roomId, view };
  }
  async function rename(roomId: string, view: ForeignRoom, displayname: string): Promise<string> {
    const content = { membership: 'join', displayname };
    const event = view.add({ sender: REMOTE, type: 'm.room.member', stateKey: REMOTE, content });
    expect(await receive(house, roomId, event)).to.include({ kind: 'accepted' });
    return event.eventId;
  }

  it('keeps what a message of another server was authorised by, whatever our state says', async () => {
    const { roomId, view } = await roomWithRemote();
    const first = await rename(roomId, view, 'first name');
    const second = await rename(roomId, view, 'second name');
    const [create, levels] = edgeIds(view.get(second).pdu.auth_events);
    const auth = [create, levels, first] as string[];
    const message = view.add({ sender: REMOTE, type: 'm.room.message', content: { body: 'late' }, auth });
    expect(await receive(house, roomId, message)).to.include({ kind: 'accepted' });
    await rename(roomId, view, 'third name');
    const last = await rename(roomId, view, 'fourth name');
    await view.adopt(house, last);
    const before = await readPicture(house, roomId);
    await purge(house, { roomId, beforeEventId: message.eventId });
    expect(await findEvent(house.database.db, first)).not.to.equal(undefined);
    await expectPurged(house, roomId, before, rowOf(before, message.eventId), () => false);
  });

  it('leaves an event that nothing follows where it is, however old', async () => {
    const { roomId, view } = await roomWithRemote();
    const joined = await rename(roomId, view, 'name');
    const messages: string[] = [];
    for (let count = 0; count < 5; count += 1)
      messages.push(sent(await sendMessage(house, roomId, ALICE, `message ${count}`)).eventId);
    const tip = view.add({
      sender: REMOTE,
      type: 'm.room.message',
      content: { body: 'aside' },
      prev: [joined],
    });
    expect(await receive(house, roomId, tip)).to.include({ kind: 'accepted' });
    const before = await readPicture(house, roomId);
    const place = rowOf(before, messages[4] as string);
    expect(rowOf(before, tip.eventId).depth).to.be.lessThan(place.depth);
    await purge(house, { roomId, beforeEventId: place.eventId });
    await expectPurged(house, roomId, before, place, () => false);
    expect((await readPicture(house, roomId)).backward).to.have.members([place.eventId, tip.eventId]);
    sent(await sendMessage(house, roomId, ALICE, 'after'));
    await checkRoom(house, roomId);
  });

  it('deletes old events that nobody was shown, with their states', async () => {
    const { roomId, view } = await roomWithRemote();
    const joined = await rename(roomId, view, 'name');
    sent(await change(house, roomId, 'ban', ALICE, REMOTE));
    for (const body of ['late', 'later']) {
      const prev = view.tips().includes(joined) ? [joined] : view.tips();
      const event = view.add({
        sender: REMOTE,
        type: 'org.example.state',
        stateKey: body,
        content: { body },
        prev,
      });
      expect(await receive(house, roomId, event)).not.to.include({ kind: 'accepted' });
    }
    for (let count = 0; count < 5; count += 1)
      sent(await sendMessage(house, roomId, ALICE, `message ${count}`));
    const before = await readPicture(house, roomId);
    expect(before.rows.filter((row) => row.rejection !== null && row.stateGroup !== null)).not.to.deep.equal(
      [],
    );
    const place = rowOf(before, before.backward[0] as string);
    await purge(house, { roomId, beforeEventId: place.eventId });
    await expectPurged(house, roomId, before, place, () => false);
  });

  it('takes its state from an old event that nobody was shown and that stays', async () => {
    const { roomId, view } = await roomWithRemote();
    const joined = await rename(roomId, view, 'name');
    sent(await change(house, roomId, 'ban', ALICE, REMOTE));
    const content = { topic: 'late' };
    const late = view.add({ sender: REMOTE, type: 'm.room.message', content, prev: [joined] });
    expect(await receive(house, roomId, late)).to.include({ kind: 'soft-failed' });
    for (const topic of ['old', 'new'])
      sent(await sendState(house, roomId, ALICE, { type: 'm.room.topic', content: { topic } }));
    const last = sent(await sendMessage(house, roomId, ALICE, 'last'));
    const db = openWriteConnection(house.database.path);
    const sql =
      'UPDATE local_memberships SET event_nid = (SELECT event_nid FROM events WHERE event_id = :eventId)';
    db.prepare(sql).run({ eventId: late.eventId });
    db.close();
    await purge(house, { roomId, beforeEventId: last.eventId });
    const after = await readPicture(house, roomId);
    expect(rowOf(after, late.eventId).stateGroup).to.equal(null);
    expect(after.strays).to.equal(0);
  });

  it('says which events it does not take', async () => {
    const roomId = await makeRoom(house);
    const other = await makeRoom(house);
    const elsewhere = sent(await sendMessage(house, other, ALICE, 'elsewhere'));
    const ask = (request: Partial<PurgeRequest>) =>
      house.rooms.ask('rooms.purge-history', {
        roomId,
        beforeEventId: '$nothing',
        deleteLocalEvents: true,
        ...request,
      });
    expect(refused(await ask({}))).to.equal('M_NOT_FOUND');
    expect(refused(await ask({ beforeEventId: elsewhere.eventId }))).to.equal('M_NOT_FOUND');
    expect(refused(await ask({ roomId: '!no:example.com' }))).to.equal('M_NOT_FOUND');
    const topic = sent(
      await sendState(house, roomId, ALICE, { type: 'm.room.topic', content: { topic: 'x' } }),
    );
    const last = sent(await sendMessage(house, roomId, ALICE, 'last'));
    await purge(house, { roomId, beforeEventId: last.eventId });
    expect(refused(await ask({ beforeEventId: topic.eventId }))).to.equal('M_BAD_JSON');
  });

  for (const table of ['current_state', 'local_memberships'])
    it(`keeps what ${table} names, whatever the states say`, async () => {
      const roomId = await makeRoom(house);
      const topics: string[] = [];
      for (const topic of ['old', 'older', 'new'])
        topics.push(
          sent(await sendState(house, roomId, ALICE, { type: 'm.room.topic', content: { topic } })).eventId,
        );
      const last = sent(await sendMessage(house, roomId, ALICE, 'last'));
      const db = openWriteConnection(house.database.path);
      const which = table === 'current_state' ? 'membership IS NULL AND event_nid > 5' : 'true';
      const sql = `UPDATE ${table} SET event_nid = (SELECT event_nid FROM events WHERE event_id = :eventId) WHERE ${which}`;
      db.prepare(sql).run({ eventId: topics[1] as string });
      db.close();
      await purge(house, { roomId, beforeEventId: last.eventId });
      expect(await findEvent(house.database.db, topics[0] as string)).to.equal(undefined);
      expect(await findEvent(house.database.db, topics[1] as string)).not.to.equal(undefined);
    });

  it('keeps a transaction of what stays, and forgets those of what goes', async () => {
    const roomId = await makeRoom(house);
    sent(await sendMessage(house, roomId, ALICE, 'old', 'old'));
    const kept = sent(await sendMessage(house, roomId, ALICE, 'kept', 'kept'));
    await purge(house, { roomId, beforeEventId: kept.eventId });
    await house.restart();
    expect(sent(await sendMessage(house, roomId, ALICE, 'kept', 'kept')).eventId).to.equal(kept.eventId);
  });
});

function pickVersion(seed: number): string {
  return ['11', '10', '12', '3'][seed % 4] as string;
}
