import { expect } from 'chai';
import type { Answer, Person } from '../../sync/sync-world.ts';
import { type AdminWorld, openAdminWorld } from './admin-world.ts';

const path = (text: string): string => encodeURIComponent(text);

/** State as a client has it: type and state key → event id. */
type ClientState = Map<string, string>;

const keyOf = (event: Answer): string => `${event.type} ${event.state_key}`;

function apply(state: ClientState, events: readonly Answer[]): void {
  for (const event of events) if (event.state_key !== undefined) state.set(keyOf(event), event.event_id);
}

/** What a client makes of a joined room of an answer. */
function applyRoom(state: ClientState, room: Answer): void {
  apply(state, room.state_after?.events ?? room.state?.events ?? []);
  if (room.state_after === undefined) apply(state, room.timeline.events);
}

const idsOf = (events: readonly Answer[]): readonly string[] => events.map((event) => event.event_id);

describe('history that was purged', () => {
  let world: AdminWorld;
  let alice: Person;
  let bob: Person;
  let roomId: string;
  beforeEach(async () => {
    world = await openAdminWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
    roomId = await alice.room({ preset: 'public_chat', name: 'first name' });
    await bob.act('join', roomId);
  });
  afterEach(() => world.stop());

  async function purge(eventId: string, body: object = { delete_local_events: true }): Promise<void> {
    const begun = await world.ask(
      'POST',
      `/_synapse/admin/v1/purge_history/${path(roomId)}/${path(eventId)}`,
      body,
    );
    const status = await world.settled(`/_synapse/admin/v1/purge_history_status/${begun.purge_id as string}`);
    expect(status).to.deep.equal({ status: 'complete' });
    await world.host.idle();
  }
  async function say(count: number, from = 0): Promise<readonly string[]> {
    const ids: string[] = [];
    for (let index = from; index < from + count; index += 1) {
      if (index % 3 === 0)
        await alice.put(`/rooms/${path(roomId)}/state/org.example.${index % 5}`, { index });
      ids.push(await alice.say(roomId, `message ${index}`));
    }
    return ids;
  }
  async function stateNow(): Promise<ClientState> {
    const state: ClientState = new Map();
    apply(state, await alice.get(`/rooms/${path(roomId)}/state`));
    return state;
  }
  const messages = (query: Record<string, string>) => bob.get(`/rooms/${path(roomId)}/messages`, query);

  for (const form of [{}, { use_state_after: true }])
    it(`is a gap for who was away, with all of the state, once: ${JSON.stringify(form)}`, async () => {
      const state: ClientState = new Map();
      const first = await bob.sync(form);
      applyRoom(state, first.rooms.join[roomId]);
      const ids = await say(20);
      await alice.put(`/rooms/${path(roomId)}/state/m.room.name`, { name: 'second name' });
      await purge(ids[15] as string);
      const second = await bob.sync({ ...form, since: first.next_batch });
      const room = second.rooms.join[roomId];
      expect(room.timeline.limited).to.equal(true);
      const said = room.timeline.events.filter((event: Answer) => event.type === 'm.room.message');
      expect(idsOf(said)).to.deep.equal(ids.slice(15));
      applyRoom(state, room);
      expect(state).to.deep.equal(await stateNow());
      const third = await bob.sync({ ...form, since: second.next_batch });
      expect(third.rooms).to.equal(undefined);
      const back = await messages({ dir: 'b', from: room.timeline.prev_batch });
      expect(back.chunk).to.deep.equal([]);
      expect(back).not.to.have.property('end');
    });

  for (const form of [{}, { use_state_after: true }])
    it(`is not there for who comes new, and the state is: ${JSON.stringify(form)}`, async () => {
      const ids = await say(12);
      const whole = await messages({ dir: 'b', limit: '100' });
      await purge(ids[9] as string);
      const { rooms } = await bob.sync(form);
      const { timeline } = rooms.join[roomId];
      const stays = idsOf(whole.chunk).slice(0, idsOf(whole.chunk).indexOf(ids[9] as string) + 1);
      expect(idsOf(timeline.events).toReversed()).to.deep.equal(stays);
      const state: ClientState = new Map();
      applyRoom(state, rooms.join[roomId]);
      expect(state).to.deep.equal(await stateNow());
      const backward = await messages({ dir: 'b', limit: '100' });
      expect(idsOf(backward.chunk)).to.deep.equal(stays);
      expect(backward).not.to.have.property('end');
      const forward = await messages({ dir: 'f', limit: '100' });
      expect(idsOf(forward.chunk)).to.deep.equal(stays.toReversed());
    });

  it('is no gap for who has come further, and ends no poll with nothing', async () => {
    const ids = await say(10);
    const { next_batch: since } = await bob.sync();
    const later = await say(2, 10);
    await purge(ids[5] as string);
    const second = await bob.sync({ since });
    const { timeline } = second.rooms.join[roomId];
    expect(timeline.limited).to.equal(false);
    const said = timeline.events.filter((event: Answer) => event.type === 'm.room.message');
    expect(idsOf(said)).to.deep.equal(later);
    await purge(ids[7] as string);
    expect((await bob.sync({ since: second.next_batch })).rooms).to.equal(undefined);
  });

  it('lets tokens from before it be used', async () => {
    const first = await bob.sync();
    const ids = await say(10);
    const middle = await bob.sync();
    await say(2, 10);
    await purge(ids[9] as string);
    for (const from of [first.next_batch, middle.next_batch, middle.rooms.join[roomId].timeline.prev_batch]) {
      const back = await messages({ dir: 'b', from });
      const forward = await messages({ dir: 'f', from, limit: '100' });
      expect(idsOf(back.chunk).every((id) => id === ids[9])).to.equal(true);
      expect(idsOf(forward.chunk)).to.include(ids.length > 0 ? idsOf(forward.chunk).at(-1) : '');
      expect(back).not.to.have.property('end');
    }
    const at = await bob.get(`/rooms/${path(roomId)}/members`, { at: middle.next_batch });
    expect(at.chunk).to.have.lengthOf(2);
  });

  it('leaves who was in the room in it: visibility, the leave that comes later, and what was there then', async () => {
    const ids = await say(10);
    await purge(ids[4] as string);
    const { next_batch: since } = await bob.sync();
    const last = await alice.say(roomId, 'the last that bob sees');
    await alice.act('kick', roomId, bob);
    await alice.say(roomId, 'not for bob');
    const { rooms } = await bob.sync({ since });
    const { timeline } = rooms.leave[roomId];
    expect(idsOf(timeline.events)[0]).to.equal(last);
    expect(timeline.events.at(-1).content.membership).to.equal('leave');
    const back = await messages({ dir: 'b', limit: '100' });
    expect(idsOf(back.chunk)).to.include.members([last, ids[4]]);
    expect(idsOf(back.chunk)).not.to.include(ids[3]);
  });

  it('tells of a leave that was purged', async () => {
    const { next_batch: since } = await bob.sync();
    await bob.act('leave', roomId);
    const ids = await say(4);
    await purge(ids[3] as string);
    const { rooms } = await bob.sync({ since });
    expect(rooms.leave[roomId].timeline.events.at(-1).content.membership).to.equal('leave');
  });

  it('gives the room to who joins after it', async () => {
    const ids = await say(6);
    await purge(ids[5] as string);
    const carol = await world.person('carol');
    await carol.act('join', roomId);
    const state: ClientState = new Map();
    applyRoom(state, (await carol.sync()).rooms.join[roomId]);
    expect(state).to.deep.equal(await stateNow());
  });

  it('keeps what users of this server said, when it is told to', async () => {
    const ids = await say(6);
    const before = idsOf((await messages({ dir: 'b', limit: '100' })).chunk);
    await purge(ids[5] as string, {});
    expect(idsOf((await messages({ dir: 'b', limit: '100' })).chunk)).to.deep.equal(before);
  });

  it('does not break receipts and counts of what is not there any more', async () => {
    const ids = await say(6);
    await bob.post(`/rooms/${path(roomId)}/receipt/m.read/${path(ids[2] as string)}`);
    await purge(ids[3] as string);
    const { rooms } = await bob.sync();
    expect(rooms.join[roomId].unread_notifications.notification_count).to.equal(3);
    await bob.post(`/rooms/${path(roomId)}/receipt/m.read/${path(ids[5] as string)}`);
    expect((await bob.sync()).rooms.join[roomId].unread_notifications.notification_count).to.equal(0);
  });

  it('can be asked for by time, and says what it cannot do', async () => {
    const ids = await say(3);
    const where = `/_synapse/admin/v1/purge_history/${path(roomId)}`;
    const ask = async (body: object) => (await world.admin.http.request('POST', where, { body })).status;
    expect(await ask({})).to.equal(400);
    expect(await ask({ purge_up_to_event_id: '$nothing' })).to.equal(404);
    expect(
      (await world.admin.http.request('GET', '/_synapse/admin/v1/purge_history_status/none')).status,
    ).to.equal(404);
    const begun = await world.ask('POST', where, {
      purge_up_to_ts: world.clock.now() + 1,
      delete_local_events: true,
    });
    await world.settled(`/_synapse/admin/v1/purge_history_status/${begun.purge_id as string}`);
    expect(idsOf((await messages({ dir: 'b', limit: '100' })).chunk)).to.deep.equal([ids[2]]);
  });
});
