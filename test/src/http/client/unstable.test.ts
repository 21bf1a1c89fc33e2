import { expect } from 'chai';
import { isRefusal } from '../../../../src/matrix/refusal.ts';
import { pathOf } from '../../../support/http-client.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../sync/sync-world.ts';
import { annotation, edit, related, send } from './relations/relations-world.ts';

const UNREDACTED = 'fi.mau.msc2815.include_unredacted_content';

describe('what clients use before it is in the specification', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let room: string;
  let count = 0;

  before(async () => {
    world = await openSyncWorld();
  });
  after(() => world.stop());
  beforeEach(async () => {
    count += 1;
    alice = await world.person(`alice${count}`);
    bob = await world.person(`bob${count}`);
    room = await alice.room();
    await bob.act('join', room);
  });

  const event = (person: Person, eventId: string, query = {}): Promise<Answer> =>
    person.get(pathOf`/rooms/${room}/event/${eventId}`, query);
  const isRedacted = async (eventId: string): Promise<boolean> =>
    (await event(alice, eventId)).unsigned.redacted_because !== undefined;
  const statusOf = async (person: Person, path: string, query = {}): Promise<string> => {
    const { status, body } = await person.http.get(`/_matrix/client/v3${path}`, { query });
    return `${status} ${(body as Answer).errcode ?? ''}`.trim();
  };
  /** What goes on in the background is over. */
  async function settled(): Promise<void> {
    await world.host.idle();
    await world.streams.reached('events', world.streams.currentToken('events'));
  }

  describe('redactions with what relates (MSC3912)', () => {
    let root: string;
    let mine: string;
    let reaction: string;
    let inThread: string;
    beforeEach(async () => {
      root = await bob.say(room, 'root');
      mine = await send(bob, room, 'm.room.message', edit(root, 'edited'));
      reaction = await send(alice, room, 'm.reaction', annotation(root, 'x'));
      inThread = await send(bob, room, 'm.room.message', related('m.thread', root, 'answer'));
    });
    const redact = async (person: Person, body: object): Promise<readonly boolean[]> => {
      count += 1;
      const { event_id: redactionId } = await person.put(
        pathOf`/rooms/${room}/redact/${root}/${`t${count}`}`,
        body,
      );
      await settled();
      expect((await event(alice, redactionId)).content).to.not.have.any.keys(
        'with_rel_types',
        'org.matrix.msc3912.with_relations',
      );
      return Promise.all([root, mine, reaction, inThread].map(isRedacted));
    };

    it('take the relation types that are named', async () => {
      const body = { 'org.matrix.msc3912.with_relations': ['m.replace', 'm.reference'] };
      expect(await redact(bob, body)).to.deep.equal([true, true, false, false]);
    });

    it('take all that there are, under either name, and give the reason', async () => {
      expect(await redact(alice, { with_rel_types: ['*'], reason: 'spam' })).to.deep.equal(
        Array(4).fill(true),
      );
      expect((await event(alice, inThread)).unsigned.redacted_because.content).to.include({ reason: 'spam' });
    });

    it('leave what the sender may not redact, and everything for an empty list', async () => {
      expect(await redact(bob, { 'org.matrix.msc3912.with_relations': [] })).to.deep.equal([
        true,
        false,
        false,
        false,
      ]);
      expect(await redact(bob, { 'org.matrix.msc3912.with_relations': '*' })).to.deep.equal([
        true,
        true,
        false,
        true,
      ]);
    });
  });

  describe('removals that redact (MSC4293)', () => {
    const remove = async (action: string, by: Person, body: object): Promise<void> => {
      await by.post(pathOf`/rooms/${room}/${action}`, { user_id: bob.userId, ...body });
      await settled();
    };
    const REDACT = { 'org.matrix.msc4293.redact_events': true };

    it('take what the user said in this stay, and nothing of others or of an earlier stay', async () => {
      const earlier = await bob.say(room, 'earlier');
      await bob.act('leave', room);
      await bob.act('join', room);
      const said = [];
      for (let index = 0; index < 20; index += 1) said.push(await bob.say(room, `spam ${index}`));
      const others = await alice.say(room, 'no spam');
      const state = await bob.http.put(pathOf`/_matrix/client/v3/rooms/${room}/state/m.room.topic`, {
        body: {},
      });
      expect(state.status).to.equal(403);
      await remove('ban', alice, { ...REDACT, reason: 'spam' });
      const redacted = await Promise.all(said.map(isRedacted));
      expect(redacted).to.deep.equal(said.map(() => true));
      const because = (await event(alice, said[0] ?? '')).unsigned.redacted_because;
      expect(because).to.deep.include({ sender: alice.userId, type: 'm.room.redaction' });
      expect(because.content).to.include({ reason: 'spam' });
      expect(await Promise.all([earlier, others].map(isRedacted))).to.deep.equal([false, false]);
      const member = await alice.get(pathOf`/rooms/${room}/state/m.room.member/${bob.userId}`);
      expect(member).to.deep.equal({ membership: 'ban', reason: 'spam', ...REDACT });
    });

    it('find what was said long ago', async () => {
      const first = await bob.say(room, 'one');
      for (let index = 0; index < 210; index += 1) await alice.say(room, `talk ${index}`);
      await remove('ban', alice, REDACT);
      expect(await isRedacted(first)).to.equal(true);
    });

    it('happen with a kick, too, and with an event of state', async () => {
      const first = await bob.say(room, 'one');
      await remove('kick', alice, REDACT);
      expect(await isRedacted(first)).to.equal(true);
      await bob.act('join', room);
      const second = await bob.say(room, 'two');
      const content = { membership: 'ban', redact_events: true };
      await alice.put(pathOf`/rooms/${room}/state/m.room.member/${bob.userId}`, content);
      await settled();
      expect(await isRedacted(second)).to.equal(true);
    });

    it('do not happen unasked, nor for who may not redact', async () => {
      const said = await bob.say(room, 'fine');
      await remove('kick', alice, {});
      expect(await isRedacted(said)).to.equal(false);
      await bob.act('join', room);
      const carol = await world.person(`carol${count}`);
      await carol.act('join', room);
      await alice.put(pathOf`/rooms/${room}/state/m.room.power_levels`, {
        users: { [carol.userId]: 50 },
        kick: 50,
        redact: 80,
      });
      const more = await bob.say(room, 'still fine');
      await remove('kick', carol, REDACT);
      expect(await isRedacted(more)).to.equal(false);
    });
  });

  it('shows moderators what was redacted, and nobody else (MSC2815)', async () => {
    const said = await bob.say(room, 'rude');
    await alice.put(pathOf`/rooms/${room}/redact/${said}/${`t${count}`}`, {});
    const query = { [UNREDACTED]: true };
    expect((await event(alice, said)).content).to.deep.equal({});
    const whole = await event(alice, said, query);
    expect(whole).to.deep.include({ event_id: said, room_id: room, sender: bob.userId });
    expect(whole.content).to.include({ body: 'rude' });
    const path = pathOf`/rooms/${room}/event/${said}`;
    expect(await statusOf(bob, path, query)).to.equal('403 M_FORBIDDEN');
    const fine = await bob.say(room, 'fine');
    expect((await event(alice, fine, query)).content).to.include({ body: 'fine' });
    const gone = await world.host
      .ref('accounts')
      .ask('accounts.deactivate', { userId: bob.userId, erase: true });
    if (isRefusal(gone)) throw new Error(gone.error);
    await Promise.all(gone.marks.map(({ stream, position }) => world.streams.reached(stream, position)));
    expect((await event(alice, said, query)).content).to.deep.equal({});
    await alice.act('leave', room);
    expect(await statusOf(alice, path, query)).to.equal('403 M_FORBIDDEN');
  });

  it('moves the marker of what was read back only when that is wanted (MSC4446)', async () => {
    const one = await alice.say(room, 'one');
    const two = await alice.say(room, 'two');
    const marker = async (): Promise<string> =>
      (await bob.get(pathOf`/user/${bob.userId}/rooms/${room}/account_data/m.fully_read`)).event_id;
    const mark = (body: object): Promise<Answer> => bob.post(pathOf`/rooms/${room}/read_markers`, body);
    await mark({ 'm.fully_read': two });
    await mark({ 'm.fully_read': one });
    expect(await marker()).to.equal(two);
    await mark({ 'm.fully_read': one, 'com.beeper.allow_backward': true });
    expect(await marker()).to.equal(one);
    await mark({ 'm.fully_read': two, 'com.beeper.allow_backward': false });
    expect(await marker()).to.equal(two);
    await bob.post(pathOf`/rooms/${room}/receipt/m.fully_read/${one}`, {});
    expect(await marker()).to.equal(two);
    await bob.post(pathOf`/rooms/${room}/receipt/m.fully_read/${one}`, { allow_backward: true });
    expect(await marker()).to.equal(one);
  });

  it('changes a profile without telling rooms (MSC4069)', async () => {
    const path = pathOf`/_matrix/client/v3/profile/${bob.userId}/displayname`;
    const nameInRoom = async (): Promise<string> =>
      (await alice.get(pathOf`/rooms/${room}/state/m.room.member/${bob.userId}`)).displayname;
    const before = await nameInRoom();
    const body = { displayname: 'Robert' };
    const silent = { 'org.matrix.msc4069.propagate': false };
    expect((await bob.http.request('PUT', path, { body, query: silent })).status).to.equal(200);
    expect((await bob.get(pathOf`/profile/${bob.userId}`)).displayname).to.equal('Robert');
    expect(await nameInRoom()).to.equal(before);
    const loud = { 'org.matrix.msc4069.propagate': true };
    expect((await bob.http.request('PUT', path, { body, query: loud })).status).to.equal(200);
    expect(await nameInRoom()).to.equal('Robert');
    expect((await bob.http.request('DELETE', path, { query: silent })).status).to.equal(200);
    expect(await bob.get(pathOf`/profile/${bob.userId}`)).to.not.have.property('displayname');
    expect(await nameInRoom()).to.equal('Robert');
  });

  it('shows who is busy (MSC3026)', async () => {
    const status = pathOf`/presence/${bob.userId}/status`;
    for (const presence of ['busy', 'org.matrix.msc3026.busy']) {
      await bob.put(status, { presence: 'online' });
      await bob.put(status, { presence });
      expect(await alice.get(status)).to.include({
        presence: 'org.matrix.msc3026.busy',
        currently_active: true,
      });
    }
    const other = await world.device(bob);
    await other.sync({ set_presence: 'online' });
    await world.host.idle();
    expect((await alice.get(status)).presence).to.equal('org.matrix.msc3026.busy');
    const carol = await world.person(`carol${count}`);
    await carol.act('join', room);
    await (await world.device(carol)).sync({ set_presence: 'busy' });
    await carol.sync({ set_presence: 'online' });
    await world.host.idle();
    expect((await alice.get(pathOf`/presence/${carol.userId}/status`)).presence).to.equal(
      'org.matrix.msc3026.busy',
    );
    const seen: readonly Answer[] = (await alice.sync()).presence.events;
    expect(seen.find(({ sender }) => sender === bob.userId).content).to.include({
      presence: 'org.matrix.msc3026.busy',
    });
  });

  it('gives invites of a new room their reason (MSC4491)', async () => {
    const reason = { 'uk.timedout.msc4491.invite_reason': 'cake' };
    const made = await alice.room({ invite: [bob.userId], ...reason });
    expect(await alice.get(pathOf`/rooms/${made}/state/m.room.member/${bob.userId}`)).to.include({
      membership: 'invite',
      reason: 'cake',
    });
    const own = await alice.get(pathOf`/rooms/${made}/state/m.room.member/${alice.userId}`);
    expect(own).to.not.have.property('reason');
  });

  it('lets one device silence the pusher of another, which stays with its own (MSC3881)', async () => {
    const pusher = {
      pushkey: `key${count}`,
      app_id: 'org.example.app',
      kind: 'http',
      app_display_name: 'App',
      device_display_name: 'Telephone',
      lang: 'en',
      data: { url: 'https://push.example.org/_matrix/push/v1/notify' },
    };
    const set = (person: Person, more: object): Promise<Answer> =>
      person.post('/pushers/set', { ...pusher, append: true, ...more });
    const get = async (): Promise<Answer> => (await bob.get('/pushers')).pushers[0];
    const other = await world.device(bob);
    await set(bob, {});
    await set(other, { 'org.matrix.msc3881.enabled': false });
    expect(await get()).to.include({
      'org.matrix.msc3881.enabled': false,
      'org.matrix.msc3881.device_id': bob.deviceId,
    });
    await set(other, { 'org.matrix.msc3881.enabled': true });
    expect(await get()).to.include({
      'org.matrix.msc3881.enabled': true,
      'org.matrix.msc3881.device_id': bob.deviceId,
    });
    // The same app on the same telephone, logged in anew.
    await set(other, {});
    expect(await get()).to.include({ 'org.matrix.msc3881.device_id': other.deviceId });
    await set(bob, { lang: 'de', 'org.matrix.msc3881.enabled': false });
    expect(await get()).to.include({ 'org.matrix.msc3881.device_id': bob.deviceId });
  });

  it('is told to clients where they look for it', async () => {
    const { body } = await alice.http.get('/_matrix/client/versions');
    expect((body as Answer).unstable_features).to.include({
      'com.beeper.msc4446': true,
      'fi.mau.msc2815': true,
      'org.matrix.msc3026.busy_presence': true,
      'org.matrix.msc3881': true,
      'org.matrix.msc3912': true,
      'org.matrix.msc4028': true,
      'org.matrix.msc4069': true,
      'uk.timedout.msc4491.create_room_invite_reasons': true,
    });
  });

  it('rings for a group call when it begins, and not when it changes (MSC3914)', async () => {
    const call = pathOf`/rooms/${room}/state/org.matrix.msc3401.call/main`;
    const notified = async (): Promise<number> => {
      await world.host.idle();
      await world.clock.advance(100);
      await world.host.idle();
      return (await bob.sync()).rooms.join[room].unread_notifications.notification_count;
    };
    expect(await notified()).to.equal(0);
    await alice.put(call, { 'm.intent': 'm.ring' });
    expect(await notified()).to.equal(1);
    await alice.put(call, { 'm.intent': 'm.ring', 'm.name': 'changed' });
    expect(await notified()).to.equal(1);
    await alice.put(call, { 'm.intent': 'm.ring', 'm.terminated': 'call_ended' });
    expect(await notified()).to.equal(1);
    await alice.put(call, { 'm.intent': 'm.prompt' });
    expect(await notified()).to.equal(2);
  });
});
