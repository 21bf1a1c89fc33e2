import { expect } from 'chai';
import type { ThreadCaches } from '../../../../../src/streams/cache.ts';
import { pathOf } from '../../../../support/http-client.ts';
import { openStoredRoom, type StoredRoomEvent } from '../../../../support/stored-room.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';
import { type Asked, askForEvents, undecidedEndpoints } from './event-answers.ts';

const CLIENT = '/_matrix/client/v3';
const HIDDEN = 'HIDDEN';
const STRANGER = '@stranger:other.example';

type Kind = Pick<StoredRoomEvent, 'rejection' | 'isOutlier'>;

/** Every way in which an event may be kept and not shown, at a place of the stream or without one. */
const KINDS: Readonly<Record<string, Kind>> = {
  rejected: { rejection: 'rejected: the rules', isOutlier: true },
  'rejected at a place': { rejection: 'rejected: the rules' },
  'soft-failed': { rejection: 'soft-failed: now', isOutlier: true },
  'soft-failed at a place': { rejection: 'soft-failed: now' },
  held: { rejection: 'held: target', isOutlier: true },
  'held at a place': { rejection: 'held: target' },
  outlier: { isOutlier: true },
};

/** An event of each type that is served in another way. */
function eventsOf(name: string): Pick<StoredRoomEvent, 'type' | 'stateKey' | 'sender' | 'content'>[] {
  const marked = `${HIDDEN} ${name}`;
  return [
    { type: 'm.room.message', sender: STRANGER, content: { msgtype: 'm.text', body: marked } },
    { type: 'm.room.topic', stateKey: '', sender: STRANGER, content: { topic: marked } },
    { type: 'm.room.name', stateKey: '', sender: STRANGER, content: { name: marked } },
    {
      type: 'm.room.member',
      stateKey: STRANGER,
      sender: STRANGER,
      content: { membership: 'join', displayname: marked },
    },
  ] as Pick<StoredRoomEvent, 'type' | 'stateKey' | 'sender' | 'content'>[];
}

describe('events that no client is shown', function () {
  this.timeout(20_000);
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let roomId: string;
  let hidden: readonly string[];
  let since: string;

  /** Takes positions of a stream as its owner would. */
  async function reserve(owner: string, stream: string, count: number): Promise<number> {
    const set = { owner, advance: { stream, count }, steps: [] };
    const outcome = await world.host.ref('committer').ask('committer.write', set);
    if (outcome.kind !== 'committed' || outcome.position === null) throw new Error('no positions');
    return outcome.position;
  }

  /** Puts all kinds of hidden events into the room, as if they had come from another server. */
  async function hideEvents(): Promise<readonly string[]> {
    const drafts = Object.entries(KINDS).flatMap(([name, kind]) =>
      eventsOf(name).map((draft) => ({ ...draft, ...kind })),
    );
    const dummy = { type: 'org.matrix.dummy_event', sender: bob.userId, content: { body: HIDDEN } };
    const all = [...drafts, dummy];
    const first = await reserve('rooms', 'events', all.length);
    const receipt = await reserve('receipts', 'receipts', 1);
    const stored = openStoredRoom(world.database.path, roomId, alice.userId);
    for (const [index, draft] of all.entries())
      stored.addEvent({
        ...draft,
        eventId: `$hidden${index}`,
        depth: 50,
        prevEvents: [],
        position: first + index,
        receivedFrom: 'other.example',
      });
    stored.addReceipt(bob.userId, '$hidden1', receipt);
    stored.close();
    (world.services.cached as ThreadCaches).clear();
    return all.map((_, index) => `$hidden${index}`);
  }

  before(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
    roomId = await alice.room({ preset: 'public_chat', name: 'Den', topic: 'tea' });
    await bob.act('join', roomId);
    await alice.say(roomId, 'before');
    since = (await alice.sync()).next_batch;
    hidden = await hideEvents();
    await alice.put(pathOf`/rooms/${roomId}/state/m.room.topic`, { topic: 'milk' });
    const last = await alice.say(roomId, 'after');
    await alice.post(pathOf`/rooms/${roomId}/receipt/m.read/${last}`);
  });
  after(() => world.stop());

  const askAll = async (person: Person, eventIds: readonly string[]) => {
    const places = [
      ['m.room.topic', ''],
      ['m.room.name', ''],
      ['m.room.member', STRANGER],
    ] as const;
    const asked: Asked = { roomId, eventIds, places, since: [since] };
    return askForEvents(person, asked);
  };

  it('are looked for at every endpoint that reads', async () => {
    expect(await undecidedEndpoints()).to.deep.equal([]);
  });

  it('stand in no answer, neither by content nor by id', async () => {
    const { chunk } = await alice.get(pathOf`/rooms/${roomId}/messages`, { dir: 'b', limit: 500 });
    expect(chunk.length).to.be.greaterThan(5);
    const shown = chunk.map((event: Answer) => event.event_id);
    for (const person of [alice, bob])
      for (const { asked, status, text } of await askAll(person, shown)) {
        if (!asked.includes('m.fully_read') && !asked.includes(encodeURIComponent(STRANGER)))
          expect(status, asked).to.equal(200);
        expect(text, asked).not.to.include(HIDDEN);
        for (const eventId of hidden) expect(text, asked).not.to.include(`"${eventId}"`);
        expect(text, asked).not.to.include(STRANGER);
      }
  });

  it('are not found by their ids', async () => {
    const room = CLIENT + pathOf`/rooms/${roomId}`;
    for (const eventId of hidden) {
      for (const what of ['event', 'context'])
        expect((await bob.http.get(`${room}/${what}${pathOf`/${eventId}`}`)).status, eventId).to.equal(404);
      const receipt = pathOf`/receipt/m.read/${eventId}`;
      const isDummy = eventId === hidden.at(-1);
      expect((await bob.http.post(room + receipt, {})).status, eventId).to.equal(isDummy ? 200 : 404);
      const marker = await bob.http.post(`${room}/read_markers`, { 'm.fully_read': eventId });
      expect(marker.status, eventId).to.equal(isDummy ? 200 : 404);
    }
  });

  it('are not there to be redacted by clients', async () => {
    for (const eventId of hidden.slice(0, 24)) {
      const path = CLIENT + pathOf`/rooms/${roomId}/redact/${eventId}/${`t${eventId}`}`;
      const answer = await alice.http.put(path, {});
      expect(answer.status, eventId).to.equal(404);
    }
  });

  it('are not counted', async () => {
    const carol = await world.person('carol');
    await carol.act('join', roomId);
    const before = await carol.sync();
    const counts = (answer: Answer) => answer.rooms.join[roomId].unread_notifications.notification_count;
    expect(counts(before)).to.equal(0);
    const bobs = (await bob.sync()).rooms.join[roomId];
    expect(bobs.unread_notifications.notification_count).to.be.lessThan(3);
    expect(bobs.summary['m.joined_member_count']).to.equal(3);
    expect(bobs.timeline.events.length).to.be.greaterThan(5);
  });

  it('end no long poll and stand in no incremental answer', async () => {
    const { next_batch: now } = await bob.sync();
    const answer = await bob.sync({ since: now, timeout: 0 });
    expect(answer).not.to.have.property('rooms');
  });

  it('do not become the value before a newer one', async () => {
    const event = await alice.get(pathOf`/rooms/${roomId}/state/m.room.topic/`, { format: 'event' });
    expect(event.unsigned.prev_content.topic).to.equal('tea');
  });

  it('leave a dummy event out whoever sends it, the sender included', async () => {
    const path = pathOf`/rooms/${roomId}/send/org.matrix.dummy_event/d1`;
    const { next_batch: now } = await alice.sync();
    const { event_id: eventId } = await alice.put(path, { body: HIDDEN });
    expect(await alice.sync({ since: now, timeout: 0 })).not.to.have.property('rooms');
    for (const { asked, text } of await askAll(alice, [eventId])) {
      expect(text, asked).not.to.include(HIDDEN);
      expect(text, asked).not.to.include(`"${eventId}"`);
    }
    const members = await bob.get(pathOf`/rooms/${roomId}/members`, { at: (await alice.sync()).next_batch });
    expect(members.chunk.length).to.be.greaterThan(1);
  });
});
