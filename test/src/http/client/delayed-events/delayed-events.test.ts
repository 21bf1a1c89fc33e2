import { expect } from 'chai';
import { FINALISED_AGE_MAX_MS } from '../../../../../actors/delayed-events/prune-finalised.ts';
import { CONTENT_BYTES_MAX, DELAY_ID_LENGTH } from '../../../../../actors/delayed-events/schedule-event.ts';

import {
  cancelEvent,
  FINALISED_PER_USER_MAX,
  finaliseSent,
  scheduleEvent,
} from '../../../../../db/delayed-events/writer.ts';
import { isRefusal } from '../../../../../src/matrix/refusal.ts';
import { FINALISED_PAGE } from '../../../../../src/http/client/delayed-events/get-delayed-events.ts';

import { pathOf } from '../../../../support/http-client.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';
import { outcomeOf } from '../account-app.ts';

import { BASE, type DelayedWorld, fieldsOf, MEMBER, openDelayedWorld, text, V3 } from './delayed-world.ts';

const DAY_MS = 86_400_000;

describe('delayed events', () => {
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

  it('are sent when their time has come, not before, and only their sender is told how', async () => {
    const delayId = await at.schedule(5_000);
    expect(delayId)
      .to.match(/^[A-Za-z0-9]+$/)
      .and.have.length(DELAY_ID_LENGTH);
    const tablet = await world.device(alice);
    await Promise.all([alice, bob, tablet].map((person) => person.next()));
    await world.clock.advance(4_999);
    expect(await at.messages()).to.deep.equal([]);
    expect(await at.look(delayId)).to.not.have.property('finalised');
    await world.clock.advance(1);
    const unsigned: Answer[] = [];
    for (const person of [alice, tablet, bob]) {
      const [event] = (await person.next()).rooms.join[roomId].timeline.events;
      expect(event.content).to.deep.equal(text('later'));
      expect(event.sender).to.equal(alice.userId);
      expect(event.origin_server_ts).to.equal(world.clock.now());
      expect(event.unsigned).to.not.have.property('transaction_id');
      unsigned.push(event.unsigned['org.matrix.msc4140.delay_id']);
    }
    expect(unsigned).to.deep.equal([delayId, delayId, undefined]);
    expect((await at.look(delayId)).finalised).to.include({ finalised_ts: world.clock.now() });
  });

  it('are known to their sender as such for longer than transactions are remembered', async () => {
    const delayId = await at.schedule(60_000);
    const sent = await world.host.ref('rooms').ask('rooms.send-event', {
      roomId,
      sender: alice.userId,
      event: { type: 'm.room.message', content: text('the day before yesterday') },
      transaction: null,
      originServerTs: world.clock.now() - 2 * DAY_MS,
    });
    const eventId = isRefusal(sent) ? '' : sent.eventId;
    const steps = finaliseSent(delayId, world.clock.now(), { reason: 'delay', eventId });
    await world.database.write.write({ owner: 'delayed-events', steps });
    const path = pathOf`/rooms/${roomId}/event/${eventId}`;
    expect((await alice.get(path)).unsigned['org.matrix.msc4140.delay_id']).to.equal(delayId);
    expect((await bob.get(path)).unsigned).to.not.have.property('org.matrix.msc4140.delay_id');
  });

  it('are asked for with a query parameter, too, and the same transaction is the same event', async () => {
    const query = { 'org.matrix.msc4140.delay': 1_000 };
    const send = (txnId: string) =>
      alice.http.request(
        'PUT',
        pathOf`${V3}/rooms/${roomId}/send/m.room.message/${txnId}`.replaceAll('%2F', '/'),
        {
          body: text('old form'),
          query,
        },
      );
    const first = fieldsOf(await send('one')).delay_id;
    expect(first).to.be.a('string');
    await world.host.restart('delayed-events');
    expect(fieldsOf(await send('one')).delay_id).to.equal(first);
    const other = fieldsOf(await send('two')).delay_id;
    expect(other).to.not.equal(first);
    const body = { delay_ms: 1_000, content: text('new form') };
    const [again, anew] = [await at.put(body, { txnId: 'one' }), await at.put(body, { txnId: 'one' })];
    expect(fieldsOf(again).delay_id).to.equal(fieldsOf(anew).delay_id).and.not.equal(first);
    const state = await alice.http.request(
      'PUT',
      `${V3}/rooms/${encodeURIComponent(roomId)}/state/${MEMBER}/_a`,
      {
        body: { gone: true },
        query,
      },
    );
    expect(fieldsOf(state).delay_id).to.be.a('string');
    await world.clock.advance(1_000);
    expect(await at.messages()).to.deep.equal(['old form', 'old form', 'new form']);
    expect(fieldsOf(await at.memberState('_a'))).to.deep.equal({ gone: true });
    // Still the same when it was sent long ago.
    expect(fieldsOf(await send('one')).delay_id).to.equal(first);
    const parent = await alice.http.request(
      'PUT',
      `${V3}/rooms/${encodeURIComponent(roomId)}/send/m.room.message/p`,
      {
        body: text('never'),
        query: { 'org.matrix.msc4140.parent_delay_id': 'x' },
      },
    );
    expect(outcomeOf(parent)).to.equal('400 M_INVALID_PARAM');
  });

  it('are restarted, cancelled and sent by whoever knows the id, in both forms, as often as they like', async () => {
    const delayId = await at.schedule(1_000, 'heartbeat');
    for (let beat = 0; beat < 3; beat += 1) {
      await world.clock.advance(999);
      expect(outcomeOf(await at.manage(delayId, 'restart'))).to.equal('200');
    }
    expect((await at.look(delayId)).running_since).to.equal(world.clock.now());
    await world.clock.advance(999);
    expect(await at.messages()).to.deep.equal([]);
    await world.clock.advance(1);
    expect(await at.messages()).to.deep.equal(['heartbeat']);
    const sent = await at.schedule(60_000, 'now');
    const cancelled = await at.schedule(1_000, 'never');
    const old = (action: string) => bob.http.post(`${BASE}/delayed_events/${sent}`, { action });
    expect(outcomeOf(await old('restart'))).to.equal('200');
    expect(outcomeOf(await old('send'))).to.equal('200');
    expect(await at.messages()).to.deep.equal(['heartbeat', 'now']);
    expect(outcomeOf(await at.manage(cancelled, 'cancel'))).to.equal('200');
    const answers: string[] = [];
    for (const id of [sent, cancelled, 'unknown'])
      for (const action of ['send', 'cancel', 'restart'])
        answers.push(outcomeOf(await at.manage(id, action)));
    expect(answers).to.deep.equal([
      '200',
      '409 M_UNKNOWN',
      '409 M_UNKNOWN',
      '409 M_UNKNOWN',
      '200',
      '409 M_UNKNOWN',
      '404 M_NOT_FOUND',
      '404 M_NOT_FOUND',
      '404 M_NOT_FOUND',
    ]);
    expect(outcomeOf(await at.manage(sent, 'explode'))).to.equal('404 M_UNRECOGNIZED');
    expect(outcomeOf(await old('explode'))).to.match(/^400 /);
    expect(outcomeOf(await at.manage(cancelled, 'cancel', 'made-up'))).to.equal('401 M_UNKNOWN_TOKEN');
    await world.clock.advance(61_000);
    expect(await at.messages()).to.deep.equal(['heartbeat', 'now']);
  });

  it('are refused when they are too long, too many or too large, in the shape that was asked in', async () => {
    const tooLong = await at.put({ delay_ms: DAY_MS + 1, content: text('x') });
    expect(outcomeOf(tooLong)).to.equal('403 M_FORBIDDEN');
    const old = await alice.http.request(
      'PUT',
      `${V3}/rooms/${encodeURIComponent(roomId)}/send/m.room.message/x`,
      {
        body: text('x'),
        query: { 'org.matrix.msc4140.delay': DAY_MS + 1 },
      },
    );
    expect(outcomeOf(old)).to.equal('400 M_UNKNOWN');
    expect(fieldsOf(old)).to.include({
      'org.matrix.msc4140.errcode': 'M_MAX_DELAY_EXCEEDED',
      'org.matrix.msc4140.max_delay': DAY_MS,
    });
    for (const delay of [0, -1, 1.5, '5', undefined])
      expect((await at.put({ delay_ms: delay, content: text('x') })).status, String(delay)).to.equal(400);
    expect((await at.put({ delay_ms: 5 })).status).to.equal(400);
    const large = await at.put({ delay_ms: 5, content: text('x'.repeat(CONTENT_BYTES_MAX)) });
    expect(outcomeOf(large)).to.equal('413 M_TOO_LARGE');
    const first = await at.schedule(2_500);
    await world.clock.advance(1);
    await Promise.all(Array.from({ length: 59 }, () => at.schedule(60_000)));
    const tooMany = await at.put({ delay_ms: 5, content: text('x') });
    expect(outcomeOf(tooMany)).to.equal('429 M_LIMIT_EXCEEDED');
    expect(tooMany.headers['retry-after']).to.equal('3');
    expect((await at.put({ delay_ms: 5, content: text('x') }, { person: bob })).status).to.equal(200);
    await at.manage(first, 'cancel');
    await at.schedule(5);
  });

  it('are claimed with their limits, and not at all where they are switched off', async () => {
    const claims = async (person: Person) => ({
      flag: fieldsOf(await person.http.get('/_matrix/client/versions')).unstable_features[
        'org.matrix.msc4140'
      ],
      limits: (await person.get('/capabilities')).capabilities['org.matrix.msc4140.delayed_events'],
    });
    expect(await claims(alice)).to.deep.equal({
      flag: true,
      limits: { max_delay_ms: DAY_MS, max_scheduled: 60 },
    });
    const off = await openSyncWorld({ TROUPE_DELAYED_EVENTS_MAX_DELAY_MS: '0' });
    try {
      const carol = await off.person('carol');
      const room = await carol.room();
      expect(outcomeOf(await at.put({ delay_ms: 1, content: text('x') }, { person: carol, room }))).to.equal(
        '403 M_FORBIDDEN',
      );
      expect(await claims(carol)).to.deep.equal({
        flag: undefined,
        limits: { max_delay_ms: 0, max_scheduled: 100 },
      });
    } finally {
      await off.stop();
    }
  });

  it('are listed with all names that their fields have had, for their sender alone', async () => {
    const later = await at.schedule(9_000, 'second');
    const state = await at.scheduleState(8_000, '_alice', { gone: true });
    await at.schedule(1, 'of bob', bob);
    const { scheduled, delayed_events: delayed, finalised } = await at.list();
    expect(delayed).to.deep.equal(scheduled);
    expect(finalised).to.deep.equal([]);
    const now = world.clock.now();
    expect(scheduled.map((item: Answer) => item.delay_id)).to.deep.equal([state, later]);
    expect(scheduled[0]).to.deep.equal({
      delay_id: state,
      room_id: roomId,
      type: MEMBER,
      state_key: '_alice',
      delay_ms: 8_000,
      delay: 8_000,
      delayed_since_ts: now,
      scheduled_at: now,
      running_since: now,
      content: { gone: true },
    });
    expect(scheduled[1]).to.not.have.property('state_key');
    expect(await at.look(later)).to.deep.equal(scheduled[1]);
    expect(outcomeOf(await bob.http.get(`${BASE}/delayed_events/${later}`))).to.equal('404 M_NOT_FOUND');
    await at.manage(later, 'cancel');
    await world.clock.advance(8_000);
    const after = await at.list();
    expect(after.scheduled).to.deep.equal([]);
    const [sent, cancelled] = after.finalised;
    expect(cancelled).to.deep.include({ outcome: 'cancel', reason: 'action', delayed_event: scheduled[1] });
    expect(sent).to.deep.include({ outcome: 'send', reason: 'delay', delayed_event: scheduled[0] });
    expect(sent.event_id).to.match(/^\$/);
    expect(await at.look(later))
      .to.have.property('finalised')
      .that.deep.equals({ finalised_ts: now });
    expect((await at.list({ status: 'scheduled' })).finalised).to.deep.equal([]);
    const named = await at.list({ delay_id: [later, 'unknown'] });
    expect(named.finalised).to.deep.equal([cancelled]);
    expect(await at.list({ delay_id: [later] }, bob)).to.deep.include({ scheduled: [], finalised: [] });
  });

  it('are remembered for a while, the newest of one user', async () => {
    const now = world.clock.now();
    const place = { userId: alice.userId, deviceId: 'D', roomId, type: 'm.room.message', stateKey: null };
    const steps = Array.from({ length: FINALISED_PER_USER_MAX + 7 }, (_, index) => {
      const row = {
        ...place,
        delayId: `old-${index}`,
        content: '{}',
        stickyMs: null,
        delayMs: 1,
        sinceTs: now,
      };
      return [...scheduleEvent(row, null), ...cancelEvent(row.delayId, now + Math.floor(index / 3))];
    });
    await world.database.write.write({ owner: 'delayed-events', steps: steps.flat() });
    const all: Answer[] = [];
    let from: string | undefined;
    do {
      const page: Answer = await at.list(from === undefined ? {} : { from });
      expect(page.finalised.length).to.be.at.most(FINALISED_PAGE);
      all.push(...page.finalised.map((item: Answer) => item.delayed_event.delay_id));
      from = page.next_batch;
    } while (from !== undefined);
    expect(all).to.deep.equal(
      Array.from({ length: FINALISED_PER_USER_MAX }, (_, index) => `old-${206 - index}`),
    );
    expect(outcomeOf(await alice.http.get(`${BASE}/delayed_events`, { query: { from: 'x' } }))).to.equal(
      '400 M_INVALID_PARAM',
    );
  });

  it('are forgotten when they are old', async () => {
    const [old, young] = [await at.schedule(60_000), await at.schedule(60_000)];
    const before = world.clock.now() - FINALISED_AGE_MAX_MS;
    const steps = [...cancelEvent(old, before - 1), ...cancelEvent(young, before + 1)];
    await world.database.write.write({ owner: 'delayed-events', steps });
    await world.host.restart('delayed-events');
    await world.clock.advance(0);
    const { finalised } = await at.list();
    expect(finalised.map((item: Answer) => item.delayed_event.delay_id)).to.deep.equal([young]);
  });
});
