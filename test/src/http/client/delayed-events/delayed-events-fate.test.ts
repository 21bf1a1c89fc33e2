import { expect } from 'chai';

import { findDelayedEvent } from '../../../../../db/delayed-events/reader.ts';
import { scheduleEvent } from '../../../../../db/delayed-events/writer.ts';

import { DELAYED_TRANSACTION } from '../../../../../src/matrix/events/delayed-event.ts';

import { pathOf } from '../../../../support/http-client.ts';
import { type Answer, type Person, type SyncWorld } from '../../../sync/sync-world.ts';
import { outcomeOf } from '../account-app.ts';

import { type DelayedWorld, fieldsOf, MEMBER, openDelayedWorld, text } from './delayed-world.ts';

describe('what becomes of delayed events', () => {
  let at: DelayedWorld;
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let roomId: string;

  beforeEach(async () => {
    at = await openDelayedWorld();
    ({ world, alice, bob, roomId } = at);
  });

  afterEach(() => world.stop());

  it('that may not be sent when their time has come are kept with the error; those sent before it stay scheduled', async () => {
    const early = await at.schedule(60_000, 'x', bob);
    const late = await at.schedule(1_000, 'x', bob);
    await alice.act('kick', roomId, bob);
    expect(outcomeOf(await at.manage(early, 'send'))).to.equal('403 M_FORBIDDEN');
    expect(await at.look(early, bob)).to.not.have.property('finalised');
    await world.clock.advance(1_000);
    expect((await at.look(late, bob)).finalised.error).to.include({ errcode: 'M_FORBIDDEN' });
    const [item] = (await at.list({ status: 'finalised' }, bob)).finalised;
    expect(item).to.include({ outcome: 'cancel', reason: 'error' });
    expect(outcomeOf(await at.manage(late, 'cancel'))).to.equal('200');
    expect(outcomeOf(await at.manage(late, 'send'))).to.equal('409 M_UNKNOWN');
    await bob.act('join', roomId);
    expect(outcomeOf(await at.manage(early, 'send'))).to.equal('200');
    const moderated = await at.schedule(1_000, 'y', bob);
    const accounts = world.host.ref('accounts');
    await accounts.ask('accounts.moderate', { userId: bob.userId, measure: 'suspend', isOn: true });
    await world.clock.advance(1_000);
    expect((await at.look(moderated, bob)).finalised.error).to.include({ errcode: 'M_USER_SUSPENDED' });
    expect(await at.messages(alice)).to.deep.equal(['x']);
  });

  it('of a state are cancelled when somebody else writes it, also while nobody listened', async () => {
    const [mine, bobs] = [
      await at.scheduleState(60_000, '_x', { by: 'alice' }),
      await at.scheduleState(60_000, '_y', {}),
    ];
    const levels = await alice.get(pathOf`/rooms/${roomId}/state/m.room.power_levels/`);
    await alice.put(pathOf`/rooms/${roomId}/state/m.room.power_levels/`, {
      ...levels,
      events: { [MEMBER]: 0 },
    });
    const write = async (person: Person, stateKey: string): Promise<void> => {
      await person.put(`/rooms/${encodeURIComponent(roomId)}/state/${MEMBER}/${stateKey}`, {
        by: person.userId,
      });
      await world.host.idle();
    };
    await write(alice, '_x');
    expect(await at.look(mine)).to.not.have.property('finalised');
    await write(bob, '_x');
    expect((await at.look(mine)).finalised).to.deep.equal({ finalised_ts: world.clock.now() });
    expect(await at.look(bobs)).to.not.have.property('finalised');
    // What stands there from before is no reason.
    const after = await at.scheduleState(60_000, '_x', { by: 'alice again' });
    await world.host.restart('delayed-events');
    await world.host.idle();
    expect(await at.look(after)).to.not.have.property('finalised');
    world.host.crashNext('delayed-events');
    await write(bob, '_y');
    expect(await at.look(bobs)).to.not.have.property('finalised');
    await world.host.restart('delayed-events');
    await world.host.idle();
    expect(await at.look(bobs)).to.have.property('finalised');
    expect(outcomeOf(await at.manage(after, 'send'))).to.equal('200');
    expect(fieldsOf(await at.memberState('_x'))).to.deep.equal({ by: 'alice again' });
  });

  it('are sent in the order of their times, those that were overdue at a start first', async () => {
    const { write } = world.database;
    const sinceTs = world.clock.now() - 1_000_000;
    const overdue = Array.from({ length: 120 }, (_, index) => ({
      delayId: `overdue-${index}`,
      userId: alice.userId,
      deviceId: alice.deviceId,
      roomId,
      type: 'm.room.message',
      stateKey: null,
      content: JSON.stringify(text(`${index}`)),
      stickyMs: null,
      // Written in another order than that of their times.
      delayMs: 1_000 + index,
      sinceTs,
    }));
    const steps = overdue.toReversed().flatMap((event) => scheduleEvent(event, null));
    await write.write({ owner: 'delayed-events', steps });
    await world.host.restart('delayed-events');
    await world.clock.advance(0);
    await world.host.idle();
    await world.clock.advance(0);
    expect(await at.messages()).to.deep.equal(overdue.map((_, index) => `${index}`));
  });

  it('that a crash left sent and without a note are not sent twice, and cannot be cancelled', async () => {
    const ids = ['due', 'cancelled', 'member'];
    const target = await world.person('carol');
    const event = (delayId: string) =>
      delayId === 'member'
        ? { type: 'm.room.member', stateKey: target.userId, content: { membership: 'invite' } }
        : { type: 'm.room.message', content: text(delayId) };
    for (const txnId of ids)
      await world.host.ref('rooms').ask('rooms.send-event', {
        roomId,
        sender: alice.userId,
        event: event(txnId),
        transaction: { ...DELAYED_TRANSACTION, txnId },
        originServerTs: null,
      });
    const { write, db } = world.database;
    const rows = ids.map((delayId) => {
      const { type, stateKey = null, content } = { stateKey: undefined, ...event(delayId) };
      const delayMs = delayId === 'cancelled' ? 60_000 : 1;
      const place = { userId: alice.userId, deviceId: 'D', roomId, type, stateKey };
      const times = { stickyMs: null, delayMs, sinceTs: world.clock.now() };
      return { delayId, ...place, content: JSON.stringify(content), ...times };
    });
    await write.write({ owner: 'delayed-events', steps: rows.flatMap((row) => scheduleEvent(row, null)) });
    expect(outcomeOf(await at.manage('cancelled', 'cancel'))).to.equal('409 M_UNKNOWN');
    expect(await findDelayedEvent(db, 'cancelled')).to.include({ outcome: 'sent', reason: 'action' });
    await world.host.restart('delayed-events');
    await world.clock.advance(1_000);
    for (const delayId of ids)
      expect((await findDelayedEvent(db, delayId))?.outcome, delayId).to.equal('sent');
    expect(await at.messages()).to.deep.equal(['due', 'cancelled']);
    const { chunk } = await bob.get(pathOf`/rooms/${roomId}/messages`, { dir: 'f', limit: 500 });
    expect(chunk.filter((one: Answer) => one.state_key === target.userId)).to.have.length(1);
  });

  it('go with their sender and with their room, and stay when a device goes', async () => {
    const tablet = await world.device(alice);
    const fields = { delay_ms: 1_000, content: text('of a tablet') };
    expect((await at.put(fields, { person: tablet })).status).to.equal(200);
    const other = await alice.room();
    const inRoom = fieldsOf(await at.put({ delay_ms: 60_000, content: text('x') }, { room: other })).delay_id;
    const ofBob = await at.schedule(60_000, 'x', bob);
    await tablet.post('/logout');
    await world.clock.advance(1_000);
    expect(await at.messages()).to.deep.equal(['of a tablet']);
    await world.host.ref('rooms').ask('rooms.delete-room', { roomId: other, isBlocked: false });
    await world.host.ref('accounts').ask('accounts.deactivate', { userId: bob.userId, erase: false });
    await world.clock.advance(1_000);
    for (const delayId of [inRoom, ofBob])
      expect(await findDelayedEvent(world.database.db, delayId), delayId).to.equal(undefined);
  });

  it('are kept while storage cannot be written, and follow', async () => {
    await at.schedule(500, 'one');
    const cancelled = await at.schedule(60_000, 'two');
    world.host.crashNext('committer');
    await world.clock.advance(500);
    await world.clock.advance(5_000);
    await world.host.idle();
    expect(await at.messages()).to.deep.equal(['one']);
    expect(outcomeOf(await at.manage(cancelled, 'cancel'))).to.equal('200');
  });
});
