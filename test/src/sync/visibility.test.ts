import { expect } from 'chai';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { readEventRows } from '../../../db/rooms/stream-reader.ts';
import { openStoredRoom, type StoredRoomEvent } from '../../support/stored-room.ts';
import { pathOf } from '../../support/http-client.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from './sync-world.ts';

const REMOTE = '@rosa:other.example';

describe('what sync shows of rooms that others write in', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;

  beforeEach(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
  });
  afterEach(() => world.stop());

  /** Puts an event of another server into a room, at the end of the events stream. */
  async function receive(
    roomId: string,
    event: Pick<StoredRoomEvent, 'eventId' | 'type' | 'content' | 'prevEvents'> & Partial<StoredRoomEvent>,
    version = '12',
  ): Promise<number> {
    const set = { owner: 'rooms', advance: { stream: 'events', count: 1 }, steps: [] };
    const outcome = await world.host.ref('committer').ask('committer.write', set);
    if (outcome.kind !== 'committed' || outcome.position === null) throw new Error('no position');
    const { position } = outcome;
    const stored = openStoredRoom(world.database.path, roomId, alice.userId, version);
    stored.addEvent({ sender: REMOTE, depth: 20, receivedFrom: 'other.example', ...event, position });
    stored.close();
    return position;
  }

  const groupOf = async (eventId: string): Promise<number> =>
    (await findEvent(world.database.db, eventId))?.stateGroup ?? 0;
  const ids = (room: Answer): string[] => room.timeline.events.map((event: Answer) => event.event_id);

  it('keeps from a member what was said on a branch that the member was not in', async () => {
    const content = { history_visibility: 'joined' };
    const roomId = await alice.room({
      preset: 'public_chat',
      initial_state: [{ type: 'm.room.history_visibility', state_key: '', content }],
    });
    const early = await alice.say(roomId, 'early');
    const stateGroup = await groupOf(early);
    await bob.act('join', roomId);
    await alice.next();
    await bob.next();
    const message = { type: 'm.room.message', content: { body: 'on a branch' } };
    await receive(roomId, { ...message, eventId: '$branch', prevEvents: [early], stateGroup });
    const late = await alice.say(roomId, 'late');
    expect(ids((await alice.next()).rooms.join[roomId])).to.deep.equal(['$branch', late]);
    expect(ids((await bob.next()).rooms.join[roomId])).to.deep.equal([late]);
  });

  it('tells of a state event the value on its own branch, not the last one that came', async () => {
    const roomId = await alice.room({ preset: 'public_chat', topic: 'old' });
    const tip = await alice.say(roomId, 'tip');
    const before = await groupOf(tip);
    const topic = pathOf`/rooms/${roomId}/state/m.room.topic/`;
    await alice.put(topic, { topic: 'ours' });
    await receive(roomId, {
      eventId: '$theirs',
      type: 'm.room.topic',
      stateKey: '',
      content: { topic: 'theirs' },
      prevEvents: [tip],
      stateGroup: before,
    });
    const event = await alice.get(pathOf`/rooms/${roomId}/event/${'$theirs'}`);
    expect(event.unsigned.prev_content.topic).to.equal('old');
    const own = await alice.get(topic, { format: 'event' });
    expect(own.unsigned.prev_content.topic).to.equal('old');
  });

  it('says on catching up what was redacted, whatever stands beside the content', async () => {
    const roomId = await alice.room({ preset: 'public_chat' });
    const target = await alice.say(roomId, 'secret');
    const position = await receive(roomId, {
      eventId: '$redaction',
      type: 'm.room.redaction',
      content: { redacts: target },
      prevEvents: [target],
      redacts: '$something-else',
    });
    const stored = openStoredRoom(world.database.path, roomId, alice.userId);
    stored.redact(target, '$redaction');
    stored.close();
    const { rows } = await readEventRows(world.database.db, position - 1, position, 10);
    expect(rows.map(({ row }) => (row.kind === 'event' ? row.redacts : null))).to.deep.equal([target]);
  });

  it('keeps what came after a stay from who was banned after leaving', async () => {
    const roomId = await alice.room({ preset: 'public_chat', topic: 'old' });
    await bob.act('join', roomId);
    await bob.act('leave', roomId);
    await alice.put(pathOf`/rooms/${roomId}/state/m.room.topic/`, { topic: 'secret' });
    await alice.act('ban', roomId, bob);
    expect(await bob.get(pathOf`/rooms/${roomId}/state/m.room.topic/`)).to.include({ topic: 'old' });
    const state = await bob.get(pathOf`/rooms/${roomId}/state`);
    expect(JSON.stringify(state)).not.to.include('secret');
    const filter = JSON.stringify({ room: { include_leave: true } });
    for (const after of [false, true]) {
      const synced = await bob.sync({ filter, use_state_after: after });
      expect(synced.rooms.leave).to.have.property(roomId);
      expect(JSON.stringify(synced.rooms)).not.to.include('secret');
    }
  });

  it('shows who is only invited what was said since, where the room wants that', async () => {
    const content = { history_visibility: 'invited' };
    const roomId = await alice.room({
      preset: 'private_chat',
      initial_state: [{ type: 'm.room.history_visibility', state_key: '', content }],
    });
    const early = await alice.say(roomId, 'early');
    await alice.act('invite', roomId, bob);
    const late = await alice.say(roomId, 'late');
    const client = '/_matrix/client/v3';
    expect((await bob.http.get(client + pathOf`/rooms/${roomId}/event/${early}`)).status).to.equal(404);
    expect((await bob.get(pathOf`/rooms/${roomId}/event/${late}`)).content.body).to.equal('late');
    expect((await bob.http.get(client + pathOf`/rooms/${roomId}/state`)).status).to.equal(403);
  });
});
