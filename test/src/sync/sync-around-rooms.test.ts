import { expect } from 'chai';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from './sync-world.ts';

const path = (roomId: string): string => `/rooms/${encodeURIComponent(roomId)}`;

/** The content of the event of a type in a list of events; undefined when there is none. */
function contentOf(section: Answer, type: string): Answer {
  return section?.events.find((event: Answer) => event.type === type)?.content;
}

describe('sync: what is not in timelines', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let room: string;

  beforeEach(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
    room = await alice.room();
    await bob.act('join', room);
    await alice.next();
    await bob.next();
  });
  afterEach(() => world.stop());

  describe('typing', () => {
    it('is told when it begins and when it ends, and not repeated', async () => {
      await bob.put(`${path(room)}/typing/${bob.userId}`, { typing: true, timeout: 10_000 });
      const typing = contentOf((await alice.next()).rooms.join[room].ephemeral, 'm.typing');
      expect(typing).to.deep.equal({ user_ids: [bob.userId] });
      expect(await alice.next()).to.not.have.property('rooms');
      await bob.put(`${path(room)}/typing/${bob.userId}`, { typing: false });
      expect(contentOf((await alice.next()).rooms.join[room].ephemeral, 'm.typing')).to.deep.equal({
        user_ids: [],
      });
    });

    it('is in a first sync only where somebody types', async () => {
      expect((await alice.sync()).rooms.join[room]).to.not.have.property('ephemeral');
      await bob.put(`${path(room)}/typing/${bob.userId}`, { typing: true, timeout: 10_000 });
      expect(contentOf((await alice.sync()).rooms.join[room].ephemeral, 'm.typing').user_ids).to.deep.equal([
        bob.userId,
      ]);
    });

    it('2.4 ends for clients when the owner of typing begins a new life', async () => {
      await bob.put(`${path(room)}/typing/${bob.userId}`, { typing: true, timeout: 60_000 });
      await alice.next();
      const restarted = world.host.restart('typing');
      await world.clock.advance(1_000);
      await restarted;
      await world.host.idle();
      const answer = await alice.next();
      expect(contentOf(answer.rooms.join[room].ephemeral, 'm.typing')).to.deep.equal({ user_ids: [] });
      expect(await alice.next()).to.not.have.property('rooms');
    });

    it('is left out when the filter says so', async () => {
      await bob.put(`${path(room)}/typing/${bob.userId}`, { typing: true, timeout: 10_000 });
      expect(await alice.next({ room: { ephemeral: { not_types: ['m.typing'] } } })).to.not.have.property(
        'rooms',
      );
    });

    it('is for members, of oneself', async () => {
      const carol = await world.person('carol');
      const typing = `/_matrix/client/v3${path(room)}/typing/`;
      expect((await carol.http.put(typing + carol.userId, { typing: true })).status).to.equal(403);
      expect((await bob.http.put(typing + alice.userId, { typing: true })).status).to.equal(403);
    });
  });

  describe('receipts', () => {
    it('are told to the others, private ones only to their own user', async () => {
      const eventId = await alice.say(room, 'hello');
      await alice.next();
      await bob.next();
      await bob.post(`${path(room)}/receipt/m.read/${encodeURIComponent(eventId)}`, {});
      const told = contentOf((await alice.next()).rooms.join[room].ephemeral, 'm.receipt');
      expect(told[eventId]['m.read'][bob.userId]).to.have.property('ts');
      const second = await alice.say(room, 'more');
      await alice.next();
      await bob.next();
      await bob.post(`${path(room)}/receipt/m.read.private/${encodeURIComponent(second)}`, {});
      expect(await alice.next()).to.not.have.property('rooms');
      const own = contentOf((await bob.next()).rooms.join[room].ephemeral, 'm.receipt');
      expect(own[second]['m.read.private']).to.have.keys(bob.userId);
      const first = contentOf((await alice.sync()).rooms.join[room].ephemeral, 'm.receipt');
      expect(JSON.stringify(first)).to.not.include('m.read.private');
    });

    it('carry their thread', async () => {
      const eventId = await alice.say(room, 'hello');
      await bob.post(`${path(room)}/receipt/m.read/${encodeURIComponent(eventId)}`, { thread_id: 'main' });
      const told = contentOf((await alice.next()).rooms.join[room].ephemeral, 'm.receipt');
      expect(told[eventId]['m.read'][bob.userId].thread_id).to.equal('main');
    });

    for (const body of [{ thread_id: '' }, { thread_id: 5 }, { thread_id: 'x' }]) {
      it(`refuse ${JSON.stringify(body)}`, async () => {
        const eventId = await alice.say(room, 'hello');
        const receipt = `/_matrix/client/v3${path(room)}/receipt/m.read/${encodeURIComponent(eventId)}`;
        const answer = await bob.http.post(receipt, body);
        expect([answer.status, (answer.body as Answer).errcode]).to.deep.equal([400, 'M_INVALID_PARAM']);
      });
    }
  });

  describe('unread counts', () => {
    it('count messages of others after the receipt', async () => {
      const count = async (): Promise<number> =>
        (await bob.sync()).rooms.join[room].unread_notifications.notification_count;
      await alice.say(room, 'zero');
      await bob.say(room, 'mine, after what I have read');
      expect(await count()).to.equal(0);
      const first = await alice.say(room, 'one');
      await alice.say(room, 'two');
      await alice.put(`${path(room)}/send/m.room.message/n`, { msgtype: 'm.notice', body: 'a notice' });
      await alice.put(`${path(room)}/send/m.reaction/r`, { 'm.relates_to': {} });
      expect(await count()).to.equal(2);
      await bob.post(`${path(room)}/read_markers`, { 'm.read': first });
      expect(await count()).to.equal(1);
      await alice.say(room, 'three');
      expect(await count()).to.equal(2);
    });

    it('go down in the next sync of another device', async () => {
      const phone = await world.device(bob);
      const eventId = await alice.say(room, 'one');
      expect((await phone.next()).rooms.join[room].unread_notifications.notification_count).to.equal(1);
      await bob.post(`${path(room)}/receipt/m.read.private/${encodeURIComponent(eventId)}`, {});
      expect((await phone.next()).rooms.join[room].unread_notifications.notification_count).to.equal(0);
    });
  });

  describe('account data', () => {
    it('is told when it changes, global and of rooms, tags and read markers among it', async () => {
      await alice.put(`/user/${alice.userId}/account_data/org.example`, { a: 1 });
      await alice.put(`/user/${alice.userId}${path(room)}/account_data/org.example.room`, { b: 2 });
      await alice.put(`/user/${alice.userId}${path(room)}/tags/m.favourite`, { order: 0.5 });
      const eventId = await alice.say(room, 'hello');
      await alice.post(`${path(room)}/read_markers`, { 'm.fully_read': eventId });
      const answer = await alice.next();
      expect(contentOf(answer.account_data, 'org.example')).to.deep.equal({ a: 1 });
      const ofRoom = answer.rooms.join[room].account_data;
      expect(contentOf(ofRoom, 'org.example.room')).to.deep.equal({ b: 2 });
      expect(contentOf(ofRoom, 'm.tag')).to.deep.equal({ tags: { 'm.favourite': { order: 0.5 } } });
      expect(contentOf(ofRoom, 'm.fully_read')).to.deep.equal({ event_id: eventId });
      expect(await alice.next()).to.not.have.any.keys('account_data', 'rooms');
      expect(await bob.sync()).to.satisfy(
        (body: Answer) => contentOf(body.account_data, 'org.example') === undefined,
      );
    });

    it('is filtered by type', async () => {
      await alice.put(`/user/${alice.userId}/account_data/org.example`, { a: 1 });
      const answer = await alice.next({ account_data: { types: ['m.*'] } });
      expect(answer).to.not.have.property('account_data');
    });

    it('holds push rules when they change', async () => {
      const rule = '/pushrules/global/override/.m.rule.master';
      await alice.put(`${rule}/enabled`, { enabled: true });
      const { override } = contentOf((await alice.next()).account_data, 'm.push_rules').global;
      expect(override[0]).to.include({ rule_id: '.m.rule.master', enabled: true });
      expect(await alice.next()).to.not.have.property('account_data');
      expect(await alice.get(`${rule}/enabled`)).to.deep.equal({ enabled: true });
    });
  });

  describe('presence', () => {
    it('of users that share a room is told', async () => {
      await bob.put(`/presence/${bob.userId}/status`, { presence: 'unavailable', status_msg: 'lunch' });
      const event = (await alice.next()).presence.events.find((one: Answer) => one.sender === bob.userId);
      expect(event.content).to.include({ presence: 'unavailable', status_msg: 'lunch' });
      expect((await alice.get(`/presence/${bob.userId}/status`)).presence).to.equal('unavailable');
    });

    it('of strangers is not', async () => {
      const carol = await world.person('carol');
      await carol.next();
      await carol.put(`/presence/${carol.userId}/status`, { presence: 'online', status_msg: 'hi' });
      const answer = await alice.next();
      expect(JSON.stringify(answer.presence ?? {})).to.not.include(carol.userId);
      const asked = await alice.http.get(`/_matrix/client/v3/presence/${carol.userId}/status`);
      expect(asked.status).to.equal(403);
    });
  });

  describe('to-device messages', () => {
    const send = (to: Person, body: string, deviceId = to.deviceId): Promise<Answer> =>
      alice.put(`/sendToDevice/org.example/${body}`, { messages: { [to.userId]: { [deviceId]: { body } } } });

    it('come until they are acknowledged by the next since, to their device only', async () => {
      const phone = await world.device(bob);
      const { next_batch: since } = await bob.sync();
      await phone.next();
      await send(bob, 'one');
      const [first, repeated] = [await bob.sync({ since }), await bob.sync({ since })];
      for (const answer of [first, repeated])
        expect(answer.to_device.events).to.deep.equal([
          { sender: alice.userId, type: 'org.example', content: { body: 'one' } },
        ]);
      expect(await phone.next()).to.not.have.property('to_device');
      expect(await bob.sync({ since: first.next_batch })).to.not.have.property('to_device');
      expect(await bob.sync({ since })).to.not.have.property('to_device');
    });

    it('come in portions, none twice and none lost', async () => {
      const { next_batch: start } = await bob.sync();
      const count = 150;
      for (let index = 0; index < count; index += 1) await send(bob, `m${index}`);
      const bodies: string[] = [];
      let since = start;
      for (let round = 0; round < 3; round += 1) {
        const answer = await bob.sync({ since });
        bodies.push(...(answer.to_device?.events ?? []).map((event: Answer) => event.content.body));
        since = answer.next_batch;
      }
      expect(bodies).to.deep.equal(Array.from({ length: count }, (_, index) => `m${index}`));
    });
  });

  describe('device lists', () => {
    it('name users with new devices, who come to share a room, and who share none any more', async () => {
      const carol = await world.person('carol');
      await alice.next();
      await world.device(bob);
      expect((await alice.next()).device_lists.changed).to.deep.equal([bob.userId]);
      await carol.act('join', room);
      expect((await alice.next()).device_lists.changed).to.deep.equal([carol.userId]);
      await carol.act('leave', room);
      expect((await alice.next()).device_lists.left).to.deep.equal([carol.userId]);
      await world.device(carol);
      expect(await alice.next()).to.not.have.property('device_lists');
    });

    it('name the members of a room that one joins', async () => {
      const carol = await world.person('carol');
      await carol.next();
      await carol.act('join', room);
      expect((await carol.next()).device_lists.changed).to.have.members([alice.userId, bob.userId]);
      await carol.act('leave', room);
      expect((await carol.next()).device_lists.left).to.have.members([alice.userId, bob.userId]);
    });
  });
});
