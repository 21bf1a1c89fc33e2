import { expect } from 'chai';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { GATEWAY_BACKOFF, PUSH_AGE_MAX_MS } from '../../../actors/push-sender/delivery.ts';
import { findPusher } from '../../../db/push/pusher-reader.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../src/sync/sync-world.ts';
import { openPushGateway, type PushGateway } from '../../support/push-gateway.ts';

const path = (roomId: string): string => `/rooms/${encodeURIComponent(roomId)}`;
const APP = 'org.example.app';
const BATCH_MS = 100;
const TURNS_MAX = 5_000;

describe('pushers', () => {
  let world: SyncWorld;
  let gateway: PushGateway;
  let alice: Person;
  let bob: Person;
  let room: string;

  beforeEach(async () => {
    gateway = await openPushGateway();
    world = await openSyncWorld({ TROUPE_PUSH_ALLOW_PRIVATE_ADDRESSES: 'true' });
    alice = await world.person('alice');
    bob = await world.person('bob');
    room = await alice.room({ preset: 'public_chat', name: 'The room' });
    await bob.act('join', room);
    await evaluated();
  });
  afterEach(async () => {
    await world.stop();
    await gateway.close();
  });

  async function evaluated(): Promise<void> {
    await world.host.idle();
    await world.clock.advance(BATCH_MS);
    await world.host.idle();
  }

  const body = (pushkey: string, more: object = {}, data: object = {}): object => ({
    app_id: APP,
    pushkey,
    kind: 'http',
    app_display_name: 'App',
    device_display_name: 'Phone',
    lang: 'en',
    data: { url: gateway.url, ...data },
    ...more,
  });
  const set = (person: Person, pushkey: string, more: object = {}, data: object = {}): Promise<Answer> =>
    person.post('/pushers/set', body(pushkey, more, data));
  const pushersOf = async (person: Person): Promise<string[]> =>
    (await person.get('/pushers')).pushers.map((pusher: Answer) => pusher.pushkey);
  const stored = (pushkey: string) =>
    findPusher(world.database.db, { userId: bob.userId, appId: APP, pushkey });

  /** Lets sockets and timers work until something is so. */
  async function until(isSo: () => Promise<boolean> | boolean): Promise<void> {
    for (let turns = 0; !(await isSo()); turns += 1) {
      if (turns > TURNS_MAX) throw new Error('it never became so');
      await setImmediate();
    }
  }

  /** Moves the clock on until so many were told. */
  const retried = (count: number): Promise<void> =>
    until(async () => {
      await world.clock.advance(BATCH_MS);
      return gateway.told.length >= count;
    });

  it('tell a gateway all about an event, or its id only', async () => {
    await set(bob, 'full', { append: true }, { custom: 1 });
    await set(bob, 'short', {}, { format: 'event_id_only' });
    const eventId = await alice.say(room, 'hello');
    await evaluated();
    await gateway.heard(2);
    const of = (pushkey: string) => gateway.told.find((one) => one.devices[0].pushkey === pushkey);
    const [full, short] = [of('full'), of('short')];
    expect(full).to.deep.include({
      event_id: eventId,
      room_id: room,
      type: 'm.room.message',
      sender: alice.userId,
      sender_display_name: 'alice',
      room_name: 'The room',
      prio: 'high',
      content: { msgtype: 'm.text', body: 'hello' },
      counts: { unread: 1 },
    });
    expect(full.devices[0]).to.deep.include({
      app_id: APP,
      data: { custom: 1 },
      tweaks: { sound: 'default' },
    });
    expect(Object.keys(short).toSorted()).to.deep.equal(['counts', 'devices', 'event_id', 'prio', 'room_id']);
    expect(short.devices[0].data).to.deep.equal({ format: 'event_id_only' });
  });

  it('tell when the count falls, without an event', async () => {
    await set(bob, 'key');
    const eventId = await alice.say(room, 'hello');
    await evaluated();
    await gateway.heard(1);
    await until(async () => (await stored('key'))?.badge === 1);
    await bob.post(`${path(room)}/receipt/m.read.private/${encodeURIComponent(eventId)}`);
    await evaluated();
    await gateway.heard(2);
    expect(gateway.told[1]).to.not.have.property('event_id');
    expect(gateway.told[1].counts).to.deep.equal({ unread: 0 });
  });

  it('try again when the gateway fails, later and later, and give up after a day', async () => {
    gateway.answer = { status: 502, body: '' };
    await set(bob, 'key');
    await alice.say(room, 'old');
    await evaluated();
    await gateway.heard(1);
    await until(async () => (await stored('key'))?.failingSinceTs !== null);
    // Each try waits longer than the one before: how long in all is what the policy says, less the jitter.
    await retried(2);
    await retried(3);
    gateway.answer = { status: 200, body: '{}' };
    await retried(4);
    await until(async () => (await stored('key'))?.failingSinceTs === null);
    gateway.answer = { status: 500, body: '' };
    await alice.say(room, 'too old');
    await evaluated();
    await gateway.heard(5);
    gateway.answer = 'silence';
    const position = world.streams.currentToken('events');
    const database = new DatabaseSync(world.database.path);
    database.exec(`UPDATE notifications SET ts = ts - ${PUSH_AGE_MAX_MS}`);
    database.close();
    await until(async () => {
      await world.clock.advance(GATEWAY_BACKOFF.initialMs);
      return ((await stored('key'))?.place ?? 0) >= position;
    });
    expect(gateway.told.slice(6).every((one) => one.event_id === undefined)).to.equal(true);
  });

  it('are deleted when the gateway rejects their key', async () => {
    gateway.answer = { status: 200, body: '{"rejected":["bad"]}' };
    await set(bob, 'bad');
    await alice.say(room, 'hello');
    await evaluated();
    await gateway.heard(1);
    await until(async () => (await pushersOf(bob)).length === 0);
  });

  it('go on where they were when the sender is killed', async () => {
    await set(bob, 'key');
    gateway.answer = 'silence';
    await alice.say(room, 'one');
    await evaluated();
    await gateway.heard(1);
    gateway.answer = { status: 200, body: '{}' };
    const restarted = world.host.restart('push-sender');
    await world.clock.advance(1_000);
    await restarted;
    await alice.say(room, 'two');
    await evaluated();
    await gateway.heard(3);
    expect(gateway.told.map((one) => one.content.body)).to.deep.equal(['one', 'one', 'two']);
  });

  it('wait for nobody else: one that gets no answer delays no other', async () => {
    const slow = await openPushGateway();
    slow.answer = 'silence';
    await set(bob, 'slow', {}, { url: slow.url });
    await set(bob, 'quick');
    for (const text of ['one', 'two', 'three']) await alice.say(room, text);
    await evaluated();
    await gateway.heard(3);
    await slow.heard(1);
    expect([slow.told.length, gateway.told.length]).to.deep.equal([1, 3]);
    await slow.close();
  });

  it('belong to one user unless they are appended, and to their device', async () => {
    await set(alice, 'key');
    await set(bob, 'key', { append: true });
    expect([await pushersOf(alice), await pushersOf(bob)]).to.deep.equal([['key'], ['key']]);
    await set(bob, 'key');
    expect([await pushersOf(alice), await pushersOf(bob)]).to.deep.equal([[], ['key']]);
    const phone = await world.device(bob);
    await set(phone, 'phone');
    expect(await pushersOf(bob)).to.deep.equal(['key', 'phone']);
    await phone.post('/logout');
    expect(await pushersOf(bob)).to.deep.equal(['key']);
    await bob.post('/pushers/set', { app_id: APP, pushkey: 'key', kind: null });
    expect(await pushersOf(bob)).to.deep.equal([]);
  });

  it('are refused when they are wrong', async () => {
    const attempt = async (wrong: object): Promise<unknown> => {
      const answer = await bob.http.request('POST', '/_matrix/client/v3/pushers/set', { body: wrong });
      return [answer.status, (answer.body as Answer).errcode];
    };
    expect(await attempt(body('x', { lang: undefined }))).to.deep.equal([400, 'M_MISSING_PARAM']);
    expect(await attempt(body('x', { data: {} }))).to.deep.equal([400, 'M_MISSING_PARAM']);
    expect(await attempt(body('x', { kind: 'email' }))).to.deep.equal([400, 'M_INVALID_PARAM']);
    expect(await attempt(body('x'.repeat(513)))).to.deep.equal([400, 'M_INVALID_PARAM']);
    expect(await attempt(body('x', { app_id: 'x'.repeat(65) }))).to.deep.equal([400, 'M_INVALID_PARAM']);
    expect(await attempt(body('x', {}, { url: 'https://push.example/elsewhere' }))).to.deep.equal([
      400,
      'M_INVALID_PARAM',
    ]);
  });
});
