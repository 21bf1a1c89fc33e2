import { expect } from 'chai';
import type { ReceivedEvent } from '../../../actors/rooms/protocol.ts';
import { WHOLE_ROOM_WAIT_MS } from '../../../src/http/client/rooms/whole-room.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { type ForeignRoom, makeForeignRoom, received } from '../../support/foreign-room.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from './sync-world.ts';

const OTHER = 'other.example';
const MEMBERS = Array.from({ length: 4 }, (_, number) => `@member${number}:${OTHER}`);
/** Was there before, and is nobody's news. */
const GONE = `@gone:${OTHER}`;
const MEMBER = 'm.room.member';
const LAZY = { room: { state: { lazy_load_members: true } } };

/** A room that was joined without its members: what its state was before the join. */
interface PartialRoom {
  readonly room: ForeignRoom;
  readonly before: readonly ReceivedEvent[];
  readonly authChain: readonly ReceivedEvent[];
}

const typesOf = (section: Answer): string[] => section.events.map((event: Answer) => event.type).toSorted();
const membersIn = (section: Answer): string[] =>
  (section?.events ?? [])
    .flatMap((event: Answer) => (event.type === MEMBER ? [event.state_key] : []))
    .toSorted();

describe('sync of rooms whose members are still coming', () => {
  let world: SyncWorld;
  let alice: Person;
  beforeEach(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
  });
  afterEach(() => world.stop());

  const rooms = () => world.host.ref('rooms');
  const reached = async (
    reply: { readonly position: number } | { readonly kind: 'refused' },
  ): Promise<void> => {
    if (isRefusal(reply) || !('position' in reply)) throw new Error(JSON.stringify(reply));
    await world.streams.reached('events', reply.position);
  };
  const enter = async (): Promise<PartialRoom> => {
    const room = makeForeignRoom();
    for (const userId of MEMBERS) room.member(userId, 'join');
    for (const membership of ['join', 'leave']) room.member(GONE, membership);
    const before = room.state().map(received);
    const authChain = room.events.map(received);
    const known = room.state().filter(({ pdu }) => pdu.type !== MEMBER);
    const join = room.member(alice.userId, 'join');
    const reply = await rooms().ask('rooms.accept-join', {
      roomId: room.roomId,
      roomVersion: room.version,
      event: received(join),
      state: known.map(received),
      authChain,
      receivedFrom: OTHER,
      partial: { servers: [OTHER, 'third.example'] },
    });
    await reached(reply);
    return { room, before, authChain };
  };
  const complete = async ({ room, before, authChain }: PartialRoom): Promise<void> =>
    reached(
      await rooms().ask('rooms.complete-state', {
        roomId: room.roomId,
        state: before,
        authChain,
        receivedFrom: OTHER,
      }),
    );
  const say = async ({ room }: PartialRoom, sender: string, body: string): Promise<void> => {
    const event = room.add({ sender, type: 'm.room.message', content: { body } });
    const reply = await rooms().ask('rooms.receive-event', {
      roomId: room.roomId,
      event: received(event),
      receivedFrom: OTHER,
      stateBefore: null,
      isFinal: true,
    });
    if (reply.kind !== 'accepted') throw new Error(JSON.stringify(reply));
    await reached(reply);
  };
  const path = ({ room }: PartialRoom, rest: string): string =>
    `/rooms/${encodeURIComponent(room.roomId)}${rest}`;
  const asked = (at: PartialRoom, rest: string): ReturnType<Person['http']['request']> =>
    alice.http.request('GET', `/_matrix/client/v3${path(at, rest)}`);

  it('shows a room at once to who loads members lazily, and hands it to all others when it is whole', async () => {
    const other = await world.device(alice);
    await alice.next(LAZY);
    await other.next();
    const at = await enter();
    const { roomId } = at.room;
    const early = (await alice.next(LAZY)).rooms.join[roomId];
    expect(typesOf(early.state)).to.include.members(['m.room.create', 'm.room.power_levels']);
    expect(early.summary).to.not.have.property('m.joined_member_count');
    expect((await other.next()).rooms?.join).to.equal(undefined);
    expect((await (await world.device(alice)).sync()).rooms?.join).to.equal(undefined);
    await say(at, MEMBERS[0] ?? '', 'hello');
    // Who speaks is known from then on.
    const spoken = (await alice.next(LAZY)).rooms.join[roomId];
    expect(spoken.timeline.events.map((event: Answer) => event.content.body)).to.deep.equal(['hello']);
    expect(membersIn(spoken.state)).to.deep.equal([MEMBERS[0]]);
    expect((await other.next()).rooms?.join).to.equal(undefined);
    await complete(at);
    const lazy = await alice.next(LAZY);
    expect(lazy.rooms.join[roomId].summary).to.include({ 'm.joined_member_count': MEMBERS.length + 2 });
    const seen = [at.room.creator, ...MEMBERS].toSorted();
    expect(lazy.device_lists.changed.toSorted()).to.deep.equal(seen);
    expect(lazy.device_lists.left).to.deep.equal([]);
    const whole = await other.next();
    const { state, timeline, summary } = whole.rooms.join[roomId];
    expect(membersIn(state)).to.include.members(seen);
    expect(membersIn(state).length + membersIn(timeline).length).to.be.at.least(MEMBERS.length + 2);
    expect(timeline.events.map((event: Answer) => event.content.body ?? event.type)).to.deep.equal([
      MEMBER,
      'hello',
    ]);
    expect(summary).to.include({ 'm.joined_member_count': MEMBERS.length + 2 });
    expect(whole.device_lists.changed.toSorted()).to.deep.equal(seen);
    // Once.
    await say(at, MEMBERS[1] ?? '', 'again');
    for (const [person, filter] of [
      [alice, LAZY],
      [other, undefined],
    ] as const) {
      const news = await person.next(filter);
      expect(news.device_lists).to.equal(undefined);
      expect(news.rooms.join[roomId].timeline.events).to.have.length(1);
      expect(news.rooms.join[roomId].summary).to.equal(undefined);
    }
    const first = (await (await world.device(alice)).sync()).rooms.join[roomId];
    expect(membersIn(first.state)).to.include.members(seen);
  });

  it('wakes who does not load members lazily when the room is whole, and tells whose keys to ask for', async () => {
    const { next_batch: since } = await alice.sync();
    const at = await enter();
    const { next_batch: later } = await alice.sync({ since });
    const parked = world.parked();
    const polling = alice.sync({ since: later, timeout: 30_000 });
    await Promise.race([parked, new Promise((resolve) => setTimeout(resolve, 200))]);
    await complete(at);
    expect(membersIn((await polling).rooms.join[at.room.roomId].state)).to.include.members(MEMBERS);
    const changes = await alice.get('/keys/changes', { from: later, to: (await alice.sync()).next_batch });
    expect(changes.changed).to.include.members(MEMBERS);
  });

  it('lets questions about members wait until they are there', async () => {
    const at = await enter();
    const [unknown = ''] = MEMBERS;
    const member = (userId: string): string => `/state/${MEMBER}/${encodeURIComponent(userId)}`;
    expect((await asked(at, member(alice.userId))).status).to.equal(200);
    expect((await asked(at, '/state/m.room.topic/')).status).to.equal(404);
    const questions = ['/members', '/joined_members', '/state', '/initialSync', member(unknown)];
    const answers = Promise.all(questions.map((question) => asked(at, question)));
    const early = await Promise.race([answers, world.clock.settle().then(() => 'none')]);
    expect(early).to.equal('none');
    await complete(at);
    for (const [index, { status, text }] of (await answers).entries()) {
      expect(status, questions[index]).to.equal(200);
      if (index < 4) for (const userId of MEMBERS) expect(text, questions[index]).to.include(userId);
    }
  });

  it('says when to come again where the members take too long, and shows the room nowhere as a whole one', async () => {
    const at = await enter();
    expect((await alice.get('/initialSync')).rooms).to.deep.equal([]);
    const waiting = asked(at, '/members');
    for (let round = 0; round < 50; round += 1) {
      await world.clock.settle();
      await world.clock.advance(WHOLE_ROOM_WAIT_MS / 10);
    }
    expect((await waiting).status).to.equal(503);
    expect((await waiting).body)
      .to.include({ errcode: 'M_UNKNOWN' })
      .and.have.property('retry_after_ms');
  });
});
