import { expect } from 'chai';
import { EXTREMITIES_MAX, EXTREMITIES_WANTED_MAX } from '../../../actors/rooms/extremities.ts';
import { DUMMY_EVENT_TYPE } from '../../../actors/rooms/merge-extremities.ts';
import { step, type WriteOutcome, type WriteSet } from '../../../db/kit/write-set.ts';
import { checkExtremities } from '../../../db/rooms/inbound-writer.ts';
import { findLocalMembership } from '../../../db/rooms/membership-reader.ts';
import { readCurrentState, readStateChanges } from '../../../db/rooms/state-reader.ts';
import { edgeIds, PDU_BYTES_MAX, type Pdu } from '../../../src/matrix/events/pdu.ts';
import { entriesOf, readAllEvents } from './check-room.ts';
import type { ForeignEvent } from './foreign-events.ts';
import { DAVE, ERIN, member, message, openReceiveWorld, type ReceiveWorld, topic } from './receive-world.ts';
import { ALICE, BOB, CAROL, refused, sendMessage, sent } from './rooms-house.ts';

describe('events of other servers beside the newest ones', () => {
  let world: ReceiveWorld;
  const open = async (...options: Parameters<typeof openReceiveWorld>): Promise<void> => {
    world = await openReceiveWorld(...options);
  };
  const add = (proposal: Parameters<ReceiveWorld['foreign']['add']>[0], ...prev: readonly ForeignEvent[]) =>
    world.foreign.add({ ...proposal, ...(prev.length > 0 && { prev: prev.map(({ eventId }) => eventId) }) });
  afterEach(() => world.close());

  it('rejects what the state before forbids, with the rule, and what follows it goes on', async () => {
    await open();
    const forbidden = add(
      { sender: DAVE, type: 'm.room.power_levels', stateKey: '', content: { users: {} } },
      world.dave,
    );
    const reply = await world.give(forbidden);
    expect(reply).to.include({ kind: 'rejected' });
    expect((await world.find(forbidden))?.rejection).to.match(/^rejected: .*\(rule 9/);
    expect((await world.find(forbidden))?.streamOrdering).to.equal(null);
    expect(await world.extremities()).to.deep.equal([world.dave.eventId]);
    const after = add(message(DAVE, 'after'), forbidden);
    expect(await world.giveAll(after)).to.deep.equal(['accepted']);
    expect(await world.extremities(), 'reached through the rejected one').to.deep.equal([after.eventId]);
    expect((await world.give(forbidden)).kind).to.equal('known');
  });

  it('rejects what its own auth events forbid, are too many for, or were rejected themselves', async () => {
    await open();
    const forbidden = add(
      { sender: DAVE, type: 'm.room.power_levels', stateKey: '', content: { users: {} } },
      world.dave,
    );
    await world.give(forbidden);
    const auth = edgeIds(world.dave.pdu.auth_events);
    const [create = ''] = auth;
    const onRejected = world.foreign.add({
      ...message(DAVE, 'x'),
      prev: [world.dave.eventId],
      auth: [create, forbidden.eventId, world.dave.eventId],
    });
    const unneeded = world.foreign.add({
      ...message(DAVE, 'y'),
      prev: [world.dave.eventId],
      auth: [...auth, world.dave.eventId],
    });
    const withoutJoin = world.foreign.add({
      ...message(DAVE, 'z'),
      prev: [world.dave.eventId],
      auth: [create],
    });
    for (const event of [onRejected, unneeded, withoutJoin]) {
      expect(event.isRejected).to.equal(true);
      expect((await world.give(event)).kind).to.equal('rejected');
    }
    expect((await world.find(onRejected))?.rejection).to.include('a rejected event');
    expect((await world.find(withoutJoin))?.rejection).to.include('not in the room');
  });

  it('rejects what its auth events allow only because they leave out the power levels', async () => {
    await open('11', { powerLevels: { users: { [ALICE]: 100 }, events_default: 50 } });
    const levels = world.dave.stateAfter.get('m.room.power_levels\u0000');
    const selected = [...edgeIds(world.dave.pdu.auth_events), world.dave.eventId];
    const places = selected.filter((id) => world.foreign.get(id).pdu.type !== 'm.room.join_rules');
    const event = world.foreign.add({
      ...message(DAVE, 'x'),
      prev: [world.dave.eventId],
      auth: places.filter((id) => id !== levels),
    });
    expect(event.isRejected).to.equal(true);
    expect((await world.give(event)).kind).to.equal('rejected');
    expect((await world.find(event))?.rejection).to.include('takes level 50');
  });

  it('rejects at the state before what its own auth events allow', async () => {
    await open();
    const ban = add(member(ALICE, DAVE, 'ban'), world.dave);
    const beside = add(topic(ALICE, 'beside'), world.dave);
    expect(await world.giveAll(ban, beside)).to.deep.equal(['accepted', 'accepted']);
    const selected = [...edgeIds(world.dave.pdu.auth_events), world.dave.eventId];
    const auth = selected.filter((id) => world.foreign.get(id).pdu.type !== 'm.room.join_rules');
    const event = world.foreign.add({ ...message(DAVE, 'x'), prev: [ban.eventId], auth });
    expect(event.isRejected).to.equal(true);
    expect((await world.give(event)).kind).to.equal('rejected');
  });

  it('soft-fails what the current state forbids: stored with its state, followed by nothing of ours', async () => {
    await open();
    const ban = add(member(ALICE, DAVE, 'ban'), world.dave);
    const late = add(topic(DAVE, 'late'), world.dave);
    const next = add(message(DAVE, 'next'), late);
    expect(await world.giveAll(ban, late, next)).to.deep.equal(['accepted', 'soft-failed', 'soft-failed']);
    expect((await world.find(late))?.rejection).to.match(/^soft-failed: /);
    expect((await world.find(late))?.stateGroup).to.be.a('number');
    expect(await world.extremities()).to.deep.equal([ban.eventId]);
    await world.house.idle();
    const shown = world.house.rows.map(({ row }) => row.kind === 'event' && row.eventId);
    expect(shown).not.to.include(late.eventId);
    const own = sent(await sendMessage(world.house, world.roomId, ALICE, 'ours'));
    const ours = await world.find(own);
    expect(edgeIds((JSON.parse(ours?.pdu ?? '') as Pdu).prev_events)).to.deep.equal([ban.eventId]);
  });

  it('6.4 two topics: the current state is what they resolve to, and says so where the last to come loses', async () => {
    await open();
    const one = add({ ...topic(ALICE, 'one'), ts: 1_700_000_009_000 }, world.dave);
    const other = add({ ...topic(DAVE, 'other'), ts: 1_700_000_008_000 }, world.dave);
    expect(await world.giveAll(one, other)).to.deep.equal(['accepted', 'accepted']);
    expect(await world.extremities()).to.have.members([one.eventId, other.eventId]);
    const winner = world.foreign.resolve([one.eventId, other.eventId]).get('m.room.topic\u0000');
    expect(await world.standing('m.room.topic')).to.equal(winner);
    await world.house.idle();
    const last = world.house.rows.at(-1)?.row;
    expect(last).to.include({ kind: 'state', type: 'm.room.topic', eventId: one.eventId });
    expect(winner, 'the one that came first wins').to.equal(one.eventId);
    expect(
      world.house.told.filter(({ message: name }) => name === 'caches.room-changed').length,
    ).to.be.greaterThan(0);
    await world.house.restart();
    expect((await world.give(add(message(ALICE, 'both'), one, other))).kind).to.equal('accepted');
    expect(await world.extremities()).to.have.length(1);
  });

  it('5.5 a resolution that undoes a local join tells so, and the membership is removed', async () => {
    await open();
    const closed = add(
      { sender: DAVE, type: 'm.room.join_rules', stateKey: '', content: { join_rule: 'invite' } },
      world.dave,
    );
    const carol = add(member(CAROL, CAROL, 'join'), world.dave);
    expect(await world.giveAll(carol)).to.deep.equal(['accepted']);
    const { db } = world.house.database;
    expect(await findLocalMembership(db, CAROL, world.roomId)).to.include({ membership: 'join' });
    const position = world.house.rows.length;
    expect(await world.giveAll(closed)).to.deep.equal(['accepted']);
    expect(await world.standing('m.room.member', CAROL)).to.equal(undefined);
    const removed = await findLocalMembership(db, CAROL, world.roomId);
    expect(removed).to.include({ membership: 'removed', eventId: carol.eventId });
    await world.house.idle();
    const rows = world.house.rows.slice(position).map(({ position: at, row }) => ({ at, row }));
    const gone = rows.find(({ row }) => row.kind === 'state' && row.stateKey === CAROL);
    expect(gone?.row).to.include({ eventId: null, membership: null });
    expect(removed?.position).to.equal(gone?.at);
    const cleared = world.house.told.filter(({ message: name }) => name === 'typing.clear-user');
    expect(cleared.map(({ input }) => input)).to.deep.include({ roomId: world.roomId, userId: CAROL });
  });

  it('5.8 an event and what it does to the state are written together or not at all', async () => {
    await open();
    const closed = add(
      { sender: DAVE, type: 'm.room.join_rules', stateKey: '', content: { join_rule: 'invite' } },
      world.dave,
    );
    const carol = add(member(CAROL, CAROL, 'join'), world.dave);
    await world.giveAll(carol);
    const { db } = world.house.database;
    const before = entriesOf(await readStateChanges(db, world.roomId, 0, Number.MAX_SAFE_INTEGER));
    world.house.storage.fault = 'disk-full';
    expect(refused(await world.give(closed))).to.equal('M_RESOURCE_LIMIT_EXCEEDED');
    world.house.storage.fault = null;
    expect(entriesOf(await readStateChanges(db, world.roomId, 0, Number.MAX_SAFE_INTEGER))).to.deep.equal(
      before,
    );
    expect(await world.find(closed)).to.equal(undefined);
    expect(await findLocalMembership(db, CAROL, world.roomId)).to.include({ membership: 'join' });
    world.house.storage.crashAfterCommit = true;
    await world.give(closed).catch(() => undefined);
    await world.house.idle();
    expect((await world.give(closed)).kind).to.equal('known');
    expect(await findLocalMembership(db, CAROL, world.roomId)).to.include({ membership: 'removed' });
  });

  it('5.8 a write that fails at any of its steps leaves nothing, and the next try all', async () => {
    await open();
    const closed = add(
      { sender: DAVE, type: 'm.room.join_rules', stateKey: '', content: { join_rule: 'invite' } },
      world.dave,
    );
    const carol = add(member(CAROL, CAROL, 'join'), world.dave);
    await world.giveAll(carol);
    const { database } = world.house;
    const write = database.write.write.bind(database.write);
    const contents = async () =>
      JSON.stringify([
        await readAllEvents(world.house, world.roomId),
        await readCurrentState(database.db, world.roomId),
        await readStateChanges(database.db, world.roomId, 0, Number.MAX_SAFE_INTEGER),
        await findLocalMembership(database.db, CAROL, world.roomId),
        await world.extremities(),
      ]);
    const failing = step(
      checkExtremities,
      { roomNid: 0, eventIds: '["$none"]' },
      { expectChanges: 1, refusal: 'of the test' },
    );
    const before = await contents();
    let tried = 0;
    const writeWithFaults = async (set: WriteSet): Promise<WriteOutcome> => {
      for (let at = 0; at <= set.steps.length; at += 1) {
        const outcome = await write({ ...set, steps: [...set.steps.slice(0, at), failing] });
        expect(outcome).to.include({ kind: 'refused', refusal: 'of the test' });
        expect(await contents()).to.equal(before);
        tried += 1;
      }
      return write(set);
    };
    Object.assign(database.write, { write: writeWithFaults });
    expect((await world.give(closed)).kind).to.equal('accepted');
    Object.assign(database.write, { write });
    expect(tried).to.be.greaterThan(10);
    expect(await contents()).not.to.equal(before);
    expect(await findLocalMembership(database.db, CAROL, world.roomId)).to.include({ membership: 'removed' });
  });

  it('takes the state before from who gives it, where the events before it cannot be had', async () => {
    await open();
    const unknown = add(topic(ALICE, 'unknown'), world.dave);
    const after = add(message(DAVE, 'after'), unknown);
    expect((await world.give(after)).kind).to.equal('missing');
    const stateBefore = [...after.stateBefore.values()];
    expect(refused(await world.give(after, { stateBefore }))).to.equal('M_BAD_JSON');
    expect(await world.giveOutliers(unknown)).to.deep.equal(['accepted']);
    expect(refused(await world.give(after, { stateBefore: [...stateBefore, after.eventId] }))).to.equal(
      'M_BAD_JSON',
    );
    const rejected = add(
      { sender: DAVE, type: 'm.room.power_levels', stateKey: '', content: { users: {} } },
      world.dave,
    );
    expect(await world.giveOutliers(rejected)).to.deep.equal(['rejected']);
    const withRejected = [...stateBefore, rejected.eventId];
    expect((await world.give(after, { stateBefore: withRejected })).kind).to.equal('accepted');
    expect(await world.standing('m.room.topic')).to.equal(unknown.eventId);
    const before = await world.extremities();
    expect(before).to.have.members([world.dave.eventId, after.eventId]);
    // It comes late: something newer follows it.
    expect((await world.give(unknown)).kind).to.equal('accepted');
    expect(await world.extremities()).to.deep.equal([after.eventId]);
    const late = (await world.find(unknown)) ?? null;
    expect(late?.streamOrdering).to.be.greaterThan(late?.eventNid ?? 0);
    await world.house.idle();
    const row = world.house.rows.find(
      ({ row: one }) => one.kind === 'event' && one.eventId === unknown.eventId,
    )?.row;
    expect(row).to.include({ isLate: true });
  });

  it('8.7 rejects a second create event', async () => {
    await open();
    const second = world.foreign.add({
      sender: '@mallory:example.com',
      type: 'm.room.create',
      stateKey: '',
      content: { room_version: '11' },
      prev: [],
      auth: [],
    });
    expect((await world.give(second)).kind).to.equal('rejected');
    expect(await world.giveOutliers(second)).to.deep.equal(['known']);
    const after = add(message(DAVE, 'after'), second);
    expect((await world.give(after)).kind).to.equal('rejected');
  });

  it(`joins more than ${EXTREMITIES_WANTED_MAX} extremities with an event that no client sees`, async () => {
    await open();
    const tips = Array.from({ length: EXTREMITIES_WANTED_MAX }, (_, index) =>
      add(message(DAVE, `${index}`), world.dave),
    );
    await world.giveAll(...tips);
    expect(await world.extremities()).to.have.length(EXTREMITIES_WANTED_MAX);
    world.house.told.length = 0;
    await world.giveAll(add(topic(DAVE, 'one too many'), world.dave));
    const [only = '', second] = await world.extremities();
    expect(second).to.equal(undefined);
    const dummy = await world.find({ eventId: only });
    expect(dummy).to.include({
      type: DUMMY_EVENT_TYPE,
      rejection: null,
      streamOrdering: null,
      sender: ALICE,
    });
    expect(edgeIds((JSON.parse(dummy?.pdu ?? '') as Pdu).prev_events)).to.have.length(
      EXTREMITIES_WANTED_MAX + 1,
    );
    await world.house.idle();
    const queued = world.house.told.filter(({ message: name }) => name === 'federation.queue-event');
    expect(queued.map(({ input }) => input)).to.deep.equal([
      { roomId: world.roomId, eventId: only, position: dummy?.eventNid },
    ]);
    expect(world.house.rows.some(({ row }) => row.kind === 'event' && row.eventId === only)).to.equal(false);
    sent(await sendMessage(world.house, world.roomId, BOB, 'on it'));
    await world.house.restart();
    sent(await sendMessage(world.house, world.roomId, BOB, 'on it'));
  });

  it(`keeps the ${EXTREMITIES_MAX} deepest extremities where nobody may join them`, async () => {
    await open('11', {
      powerLevels: { users: { [ALICE]: 100, [DAVE]: 100 }, events: { [DUMMY_EVENT_TYPE]: 101 } },
    });
    const tips = Array.from({ length: EXTREMITIES_MAX + 3 }, (_, index) =>
      world.foreign.add({ ...topic(DAVE, `${index}`), prev: [world.dave.eventId], depth: 1_000 - index }),
    );
    await world.giveAll(...tips);
    const kept = tips.slice(0, EXTREMITIES_MAX - 1).map(({ eventId }) => eventId);
    expect(await world.extremities()).to.have.members([...kept, tips.at(-1)?.eventId]);
  });

  it('takes an event of exactly the size limit, in bytes, and refuses one byte more', async () => {
    await open();
    const padded = (length: number) =>
      world.foreign.build(message(DAVE, 'é'.repeat(20_000) + 'x'.repeat(length)));
    const base = Buffer.byteLength(padded(0).json);
    const exact = padded(PDU_BYTES_MAX - base);
    expect(Buffer.byteLength(exact.json)).to.equal(PDU_BYTES_MAX);
    expect((await world.give(exact)).kind).to.equal('accepted');
    const over = { ...exact, json: exact.json.replace('é', 'éx') };
    expect(await world.give(over)).to.include({ errcode: 'M_TOO_LARGE' });
    const wideKey = 'é'.repeat(127);
    const state = (stateKey: string) => ({ sender: DAVE, type: 'org.example.state', stateKey, content: {} });
    const fits = world.foreign.build({ ...state(`${wideKey}x`), prev: [world.dave.eventId] });
    expect((await world.give(fits)).kind).to.equal('accepted');
    const tooWide = { ...fits, json: fits.json.replace(wideKey, `${wideKey}é`) };
    expect(await world.give(tooWide)).to.include({ errcode: 'M_BAD_JSON' });
    const manyPrev = {
      ...fits,
      json: fits.json.replace(
        /"prev_events":\[("[^"]+")\]/,
        (_, id: string) => `"prev_events":[${Array(21).fill(id).join()}]`,
      ),
    };
    expect((await world.give(manyPrev)).kind).to.equal('refused');
  });

  it('takes depths and times that cannot be counted with, in old room versions', async () => {
    await open('5');
    const { json } = world.foreign.build(message(DAVE, 'deep'));
    const pdu = { ...(JSON.parse(json) as Pdu), depth: 2 ** 63, origin_server_ts: 1e300 };
    const { eventIdOf } = await import('../../../src/matrix/events/event-id.ts');
    const eventId = eventIdOf(world.foreign.version, pdu) ?? '';
    const reply = await world.give({ ...world.dave, eventId, json: JSON.stringify(pdu) });
    expect(reply.kind).to.equal('accepted');
    sent(await sendMessage(world.house, world.roomId, BOB, 'after'));
  });

  it('leaves the room with its last local member whom a remote admin removes', async () => {
    await open('11', { powerLevels: { users: { [ALICE]: 50, [DAVE]: 100 } } });
    const kicks = [add(member(DAVE, BOB, 'leave'), world.dave)];
    kicks.push(add(member(DAVE, ALICE, 'leave'), kicks[0] as ForeignEvent));
    expect(await world.giveAll(...kicks)).to.deep.equal(['accepted', 'accepted']);
    await world.house.idle();
    expect(world.house.rows.at(-1)?.row).to.deep.equal({
      kind: 'room',
      roomId: world.roomId,
      change: 'left',
    });
    expect(await findLocalMembership(world.house.database.db, ALICE, world.roomId)).to.include({
      membership: 'leave',
    });
    expect(refused(await world.give(add(message(DAVE, 'alone'))))).to.equal('M_NOT_FOUND');
    expect((await readAllEvents(world.house, world.roomId)).length).to.be.greaterThan(5);
    const { house } = world;
    world = { ...world, close: () => house.stop() };
  });

  it('two servers with one opinion each end with one', async () => {
    await open();
    const erin = add(member(ERIN, ERIN, 'join'), world.dave);
    const ban = add(member(DAVE, ERIN, 'ban'), world.dave);
    expect(await world.giveAll(erin, ban)).to.deep.equal(['accepted', 'accepted']);
    expect(await world.standing('m.room.member', ERIN)).to.equal(ban.eventId);
  });
});
