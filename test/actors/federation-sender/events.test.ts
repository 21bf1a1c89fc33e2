import { expect } from 'chai';
import { WAITING_EVENTS_MAX } from '../../../actors/federation-sender/destination.ts';
import { EVENTS_REST_MS } from '../../../actors/federation-sender/event-mark.ts';
import { DESTINATION_BACKOFF } from '../../../actors/federation-sender/sender-desk.ts';
import { PDUS_MAX } from '../../../actors/federation-sender/transaction.ts';
import type { Person } from '../../src/sync/sync-world.ts';
import { openSenderWorld, type SenderWorld } from './sender-world.ts';

const FAR = 'far.example';
const NEAR = 'near.example:8448';
const MINUTE_MS = 60 * 1_000;

describe('events to other servers', () => {
  let world: SenderWorld;
  let alice: Person;
  let room: string;

  beforeEach(async () => {
    world = await openSenderWorld();
    alice = await world.person('alice');
    room = await openRoom();
    await world.rest();
  });
  afterEach(() => world.stop());

  async function openRoom(...hosts: string[]): Promise<string> {
    const made = await alice.room({ preset: 'public_chat' });
    for (const host of hosts.length === 0 ? [FAR, NEAR] : hosts) await world.join(made, `@user:${host}`);
    return made;
  }
  async function say(...texts: string[]): Promise<void> {
    for (const text of texts) await alice.say(room, text);
    await world.rest();
  }
  const at = (host: string): readonly string[] => world.servers.eventsAt(host);
  const fail = async (times: number): Promise<void> => {
    for (let failed = 0; failed < times; failed += 1)
      await world.pass(DESTINATION_BACKOFF.initialMs * 2 ** failed + 1_000);
  };

  it('go at once, signed as they are, to every server of the room, in order, one transaction at a time', async () => {
    await say('one', 'two', 'three');
    expect(at(FAR)).to.deep.equal(['one', 'two', 'three']);
    expect(at(NEAR)).to.deep.equal(['one', 'two', 'three']);
    const first = world.servers.taken[0]?.pdus[0];
    expect(first).to.have.property('signatures').that.has.property('example.org');
    expect(first).to.not.have.any.keys('unsigned', 'event_id');
    const [{ body, isProbe, method } = {}] = world.servers.asked;
    expect(body).to.include({ origin: 'example.org' }).and.to.have.property('origin_server_ts');
    expect(body).to.not.have.property('edus');
    expect({ isProbe, method }).to.deep.equal({ isProbe: true, method: 'PUT' });
    world.servers.moods.set(FAR, 'silence');
    await say('four', 'five', 'six');
    expect(at(NEAR).slice(3), 'a slow server delays nobody').to.deep.equal(['four', 'five', 'six']);
    expect(world.servers.atOnceMax).to.equal(1);
    world.servers.breakSilence(FAR);
    await world.rest();
    expect(at(FAR).slice(3)).to.deep.equal(['four', 'five', 'six']);
    const toFar = world.servers.taken.filter(({ destination }) => destination === FAR);
    expect(toFar.at(-1)?.pdus, 'what came meanwhile went together').to.have.length(2);
  });

  it('go at most 50 at a time', async () => {
    world.servers.moods.set(FAR, 'silence');
    const texts = Array.from({ length: PDUS_MAX + 5 }, (_, index) => `m${index}`);
    await say(...texts);
    world.servers.breakSilence(FAR);
    await world.rest();
    const sizes = world.servers.taken
      .filter(({ destination }) => destination === FAR)
      .map(({ pdus }) => pdus.length);
    expect(sizes).to.deep.equal([1, 50, 4]);
    expect(at(FAR)).to.deep.equal(texts);
  });

  it('are redacted when they were redacted before they could be sent', async () => {
    world.servers.moods.set(FAR, 'down');
    await say('first');
    const secret = await alice.say(room, 'secret');
    await alice.put(`/rooms/${encodeURIComponent(room)}/redact/${encodeURIComponent(secret)}/r1`);
    world.servers.moods.delete(FAR);
    await fail(1);
    const contents = world.servers.taken
      .filter(({ destination }) => destination === FAR)
      .flatMap(({ pdus }) => pdus.map(({ type, content }) => [type, Object.keys(content as object)]));
    expect(contents).to.deep.equal([
      ['m.room.message', ['body', 'msgtype']],
      ['m.room.message', []],
      ['m.room.redaction', ['redacts']],
    ]);
  });

  it('wait longer after each failure, a day at most, and all of them go after a short one', async () => {
    world.servers.moods.set(FAR, 'down');
    await say('one');
    const askedFar = (): number =>
      world.servers.asked.filter(({ destination }) => destination === FAR).length;
    expect(askedFar()).to.equal(1);
    await say('two');
    expect(askedFar(), 'not while it is out of reach').to.equal(1);
    const first = await world.state(FAR);
    expect(first?.lastError).to.equal('it is down');
    expect(first?.failingSinceTs).to.equal(world.clock.now());
    await world.ticks(3);
    expect(askedFar()).to.equal(1);
    await world.pass(3_000);
    expect(askedFar()).to.equal(2);
    const second = await world.state(FAR);
    expect(second?.failingSinceTs).to.equal(first?.failingSinceTs);
    expect((second?.retryTs ?? 0) - world.clock.now()).to.be.within(6_900, 10_000);
    world.servers.moods.delete(FAR);
    await world.pass(10_000);
    expect(at(FAR)).to.deep.equal(['one', 'two']);
    expect((await world.state(FAR))?.failingSinceTs).to.equal(null);
    expect(world.rows('SELECT * FROM failing_destinations')).to.deep.equal([]);
    await world.ticks(2);
    expect(world.rows('SELECT * FROM unsent_events')).to.deep.equal([]);
    expect(DESTINATION_BACKOFF.maxMs).to.equal(24 * 60 * MINUTE_MS);
  });

  it('of each room the newest goes after a long outage, over restarts too', async () => {
    const other = await openRoom(FAR);
    await say('before');
    world.servers.moods.set(FAR, 'down');
    await say('one');
    await fail(3);
    await say('two', 'three');
    await alice.say(other, 'elsewhere');
    await world.ticks(2);
    await world.kill('federation-sender');
    await say('four');
    await world.ticks(1);
    expect(world.rows('SELECT room_id FROM unsent_events')).to.have.length(2);
    world.servers.moods.delete(FAR);
    await world.pass(MINUTE_MS);
    expect(at(FAR)).to.deep.equal(['before', 'elsewhere', 'four']);
    await world.ticks(1);
    expect(world.rows('SELECT * FROM unsent_events')).to.deep.equal([]);
    await say('five', 'six');
    expect(at(FAR).slice(3), 'and then all again').to.deep.equal(['five', 'six']);
    expect(at(NEAR)).to.deep.equal(['before', 'one', 'two', 'three', 'four', 'five', 'six']);
  });

  it('of each room the newest goes after a long outage, without a restart too', async () => {
    const other = await openRoom(FAR);
    world.servers.moods.set(FAR, 'down');
    await say('one');
    await alice.say(other, 'elsewhere');
    await fail(3);
    await say('two', 'three');
    world.servers.moods.delete(FAR);
    await world.pass(MINUTE_MS);
    expect(at(FAR)).to.deep.equal(['elsewhere', 'three']);
    await say('four', 'five');
    expect(at(FAR)).to.deep.equal(['elsewhere', 'three', 'four', 'five']);
  });

  const unsent = (): readonly string[] =>
    world
      .rows(
        `SELECT json_extract(e.pdu, '$.content.body') AS body, json_extract(e.pdu, '$.state_key') AS member
           FROM unsent_events u JOIN events e ON e.event_nid = u.event_nid ORDER BY u.event_nid`,
      )
      .map(({ body, member }) => String(body ?? member));

  it('go after a long outage with the newest one when that does not lead back to them', async () => {
    world.servers.moods.set(FAR, 'down');
    await fail(3);
    const join = await world.makeJoin(room, '@late:third.example');
    await say('one', 'two');
    // It follows what was there before they were said.
    await join(true);
    await fail(3);
    await world.ticks(2);
    expect(unsent(), 'two leads back to one').to.deep.equal(['two', '@late:third.example']);
    world.servers.moods.delete(FAR);
    await world.kill('federation-sender');
    await world.host.ref('federation-sender').ask('federation-sender.retry-now', { destination: FAR });
    await world.ticks(2);
    expect(at(FAR)).to.deep.equal(['two', 'join @late:third.example']);
    expect(unsent()).to.deep.equal([]);
    expect(world.rows('SELECT * FROM unsent_events')).to.deep.equal([]);
  });

  it('are left out after a long outage as soon as something leads back to all of them', async () => {
    world.servers.moods.set(FAR, 'down');
    const join = await world.makeJoin(room, '@late:third.example');
    await say('one');
    await join(true);
    await fail(4);
    await world.ticks(2);
    expect(unsent()).to.deep.equal(['one', '@late:third.example']);
    await say('three');
    await world.ticks(2);
    expect(unsent()).to.deep.equal(['three']);
    world.servers.moods.delete(FAR);
    await world.host.ref('federation-sender').ask('federation-sender.retry-now', { destination: FAR });
    await world.ticks(2);
    expect(at(FAR)).to.deep.equal(['three']);
  });

  it('2.7 that came through this server are found again, too, when a crash comes before anybody noted them', async () => {
    world.servers.moods.set(FAR, 'silence');
    await world.join(room, '@late:third.example', true);
    await world.kill('federation');
    expect(world.rows('SELECT * FROM unsent_events'), 'neither queued nor noted').to.deep.equal([]);
    world.servers.moods.set(FAR, 'well');
    await world.kill('federation-sender');
    await world.ticks(1);
    expect(at(FAR)).to.deep.equal(['join @late:third.example']);
    expect(at(NEAR)).to.include('join @late:third.example');
    expect(at('third.example'), 'not to who gave it').to.deep.equal([]);
  });

  it('go at once when the server is heard of, and when an administrator says so', async () => {
    const sender = world.host.ref('federation-sender');
    world.servers.moods.set(FAR, 'down');
    await say('one');
    world.servers.moods.delete(FAR);
    sender.tell('federation-sender.note-heard', { serverName: FAR });
    await world.rest();
    expect(at(FAR)).to.deep.equal(['one']);
    world.servers.moods.set(FAR, {
      kind: 'refused',
      status: 502,
      errcode: 'M_UNKNOWN',
      error: 'x',
      body: {},
    });
    await say('two');
    world.servers.moods.delete(FAR);
    sender.tell('federation-sender.note-heard', { serverName: FAR, isAnswer: true });
    await world.rest();
    expect(at(FAR), 'that it answers is known: it did not take it').to.deep.equal(['one']);
    expect((await world.state(FAR))?.lastError).to.equal('502 M_UNKNOWN: x');
    const retried = await sender.ask('federation-sender.retry-now', { destination: FAR });
    await world.rest();
    expect(retried.isKnown).to.equal(true);
    expect(at(FAR)).to.deep.equal(['one', 'two']);
    const unknown = await sender.ask('federation-sender.retry-now', { destination: 'other.example' });
    expect(unknown.isKnown).to.equal(false);
  });

  it('2.7 are found again when the sender is killed before they went', async () => {
    world.servers.moods.set(FAR, 'silence');
    await say('one', 'two');
    world.servers.moods.set(FAR, 'well');
    await world.kill('federation-sender');
    expect(at(FAR)).to.deep.equal(['one', 'two']);
    expect(at(NEAR)).to.include.members(['one', 'two']);
  });

  it('2.7 are found again when their queue is killed before the sender had them', async () => {
    await say('one');
    await world.ticks(1);
    const sender = world.host.ref('federation-sender');
    // What was in the queue is gone with it: only the database knows.
    world.exec('UPDATE federation_progress SET events_up_to = 0');
    world.exec(`DELETE FROM destinations WHERE destination = '${FAR}'`);
    await world.kill('federation-sender');
    const before = at(FAR).length;
    await world.kill('federation');
    await say('two');
    expect(at(FAR).slice(before)).to.include('two');
    expect(at(FAR)).to.include('one');
    expect(
      await sender.ask('federation-sender.read-destinations', { after: null, limit: 10 }),
    ).to.have.length(2);
  });

  it('are looked for when it is said that the queue may lack some; none goes twice, and the next go on', async () => {
    await say('one');
    world.servers.moods.set(FAR, 'silence');
    await say('two');
    world.host.ref('federation-sender').tell('federation-sender.note-loss', {});
    await world.rest();
    world.servers.breakSilence(FAR);
    world.servers.moods.delete(FAR);
    await say('three');
    expect(at(NEAR)).to.deep.equal(['one', 'two', 'three']);
    expect([...new Set(at(FAR))]).to.deep.equal(['one', 'two', 'three']);
  });

  it('are looked for from a mark on that follows what was sent', async () => {
    await say('one');
    await world.ticks(2);
    await world.pass(EVENTS_REST_MS);
    await world.ticks(2);
    const [progress] = world.rows('SELECT events_up_to AS upTo FROM federation_progress');
    expect(progress?.['upTo']).to.equal(world.streams.currentToken('events'));
    const asked = world.servers.asked.length;
    await world.kill('federation-sender');
    await world.ticks(2);
    expect(world.servers.asked.length, 'nothing is sent twice').to.equal(asked);
  });

  it('whoever is put out is told; the last leave goes to the others, over a restart and a deletion of the room', async () => {
    world.servers.moods.set(FAR, 'down');
    world.servers.moods.set(NEAR, 'silence');
    const leave = {
      roomId: room,
      sender: alice.userId,
      target: alice.userId,
      action: 'leave',
      content: {},
    } as const;
    await world.host.ref('rooms').ask('rooms.change-membership', leave);
    await world.rest();
    await world.kill('federation-sender');
    expect(world.rows('SELECT destination FROM unsent_events ORDER BY destination').length).to.be.at.most(2);
    await world.ticks(1);
    const deleted = await world.host
      .ref('rooms')
      .ask('rooms.delete-room', { roomId: room, isBlocked: false }, { deadlineMs: 60_000 });
    expect(deleted).to.include({ kind: 'purged' });
    world.servers.moods.clear();
    world.servers.breakSilence(NEAR);
    await world.pass(MINUTE_MS);
    expect(at(FAR)).to.deep.equal(['leave @alice:example.org']);
    expect(at(NEAR)).to.include('leave @alice:example.org');
  });

  it('MSC4354 that are sticky go to servers that come later, once, and the others do not', async () => {
    await say('plain');
    const path = `/rooms/${encodeURIComponent(room)}/send/m.room.message/s1`;
    const sticky = { msgtype: 'm.text', body: 'sticky' };
    await alice.put(`${path}?org.matrix.msc4354.sticky_duration_ms=600000`, sticky);
    await world.join(room, '@late:third.example');
    expect(at('third.example')).to.deep.equal(['sticky']);
    // Another of its users, or another name, brings nothing new.
    await world.join(room, '@second:third.example');
    await world.ticks(1);
    expect(at('third.example')).to.deep.equal(['sticky']);
    expect(at(FAR)).to.deep.equal(['plain', 'sticky']);
  });

  it('that were not taken are logged and not sent again', async () => {
    world.servers.moods.set(FAR, { kind: 'answered', body: { pdus: { $x: { error: 'no' } } } });
    await say('one');
    world.servers.moods.delete(FAR);
    await say('two');
    await world.ticks(3);
    expect(at(FAR)).to.deep.equal(['two']);
  });

  it('no more than so many wait in memory for a server that is slow', async () => {
    world.servers.moods.set(FAR, 'silence');
    const sender = world.host.ref('federation');
    await say('one');
    for (let extra = 0; extra < WAITING_EVENTS_MAX + 10; extra += 1)
      sender.tell('federation.queue-event', { roomId: room, eventId: '$gone', position: -1 - extra });
    await world.rest();
    expect((await world.state(FAR))?.queuedEvents).to.equal(0);
    await say('last');
    world.servers.breakSilence(FAR);
    await world.rest();
    await world.ticks(2);
    expect(world.rows('SELECT * FROM unsent_events')).to.deep.equal([]);
  });

  it('nobody is asked without need, and transactions have other names in every life', async () => {
    await world.ticks(20);
    expect(world.servers.asked).to.deep.equal([]);
    await say('one');
    await world.kill('federation-sender');
    await say('two');
    const ids = world.servers.taken.map(({ txnId }) => txnId);
    expect(ids.length).to.be.greaterThan(3);
    expect(
      new Set(world.servers.taken.map(({ txnId, destination }) => `${destination} ${txnId}`)).size,
    ).to.equal(ids.length);
    expect(new Set(ids.map((id) => id.split('.')[0])).size).to.equal(2);
  });
});
