import { expect } from 'chai';
import { pathOf } from '../../../../support/http-client.ts';
import { ROOM_VERSIONS } from '../../../../../src/matrix/rooms/room-versions.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';
import { type Asked, askForEvents } from './event-answers.ts';

const CLIENT = '/_matrix/client/v3';
const MARK = 'SECRET';

/** State with the mark in everything that a redaction takes, and beside it what it leaves. */
function markedState(bob: string): readonly (readonly [string, string, Record<string, unknown>])[] {
  return [
    ['m.room.name', '', { name: MARK }],
    ['m.room.topic', '', { topic: MARK, 'm.topic': { 'm.text': [{ body: MARK }] } }],
    ['m.room.avatar', '', { url: `mxc://example.org/${MARK}`, info: { note: MARK } }],
    ['m.room.encryption', '', { algorithm: MARK }],
    ['m.room.pinned_events', '', { pinned: [MARK] }],
    ['m.room.history_visibility', '', { history_visibility: 'shared', note: MARK }],
    ['m.room.join_rules', '', { join_rule: 'public', note: MARK }],
    ['m.room.guest_access', '', { guest_access: MARK }],
    ['org.example.state', 'key', { value: { deep: [MARK] }, [MARK]: 1 }],
    [
      'm.room.member',
      bob,
      { membership: 'join', displayname: MARK, avatar_url: `mxc://x/${MARK}`, reason: MARK },
    ],
  ];
}

describe('what is redacted', function () {
  this.timeout(30_000);
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let carol: Person;
  let transactions = 0;

  before(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
    carol = await world.person('carol');
  });
  after(() => world.stop());

  const send = async (person: Person, roomId: string, type: string, content: object): Promise<string> =>
    (await person.put(pathOf`/rooms/${roomId}/send/${type}/${`t${(transactions += 1)}`}`, content)).event_id;
  const redact = async (person: Person, roomId: string, eventId: string, content = {}) =>
    person.http.put(
      CLIENT + pathOf`/rooms/${roomId}/redact/${eventId}/${`t${(transactions += 1)}`}`,
      content,
    );

  interface Marked {
    readonly roomId: string;
    readonly eventIds: readonly string[];
    readonly asked: Asked;
  }

  /** A room in which the mark stands in everything, and in what was replaced. */
  async function makeMarkedRoom(version: string): Promise<Marked> {
    const roomId = await alice.room({ preset: 'public_chat', room_version: version });
    await bob.act('join', roomId);
    const { next_batch: since } = await alice.sync();
    const eventIds: string[] = [];
    for (const [type, key, content] of markedState(bob.userId)) {
      const person = key === bob.userId ? bob : alice;
      eventIds.push((await person.put(pathOf`/rooms/${roomId}/state/${type}/${key}`, content)).event_id);
    }
    const path = pathOf`/rooms/${roomId}/state/org.example.replaced/`;
    eventIds.push((await alice.put(path, { old: MARK })).event_id);
    await alice.put(path, { now: 'plain' });
    for (const person of [alice, bob]) {
      eventIds.push(
        await send(person, roomId, 'm.room.message', { msgtype: 'm.text', body: MARK, extra: { MARK } }),
      );
      const relation = { rel_type: 'm.annotation', event_id: eventIds[0], key: MARK };
      eventIds.push(await send(person, roomId, 'm.reaction', { 'm.relates_to': relation }));
      eventIds.push(await send(person, roomId, 'm.room.encrypted', { algorithm: 'm.a', ciphertext: MARK }));
    }
    await alice.act('invite', roomId, carol);
    const { next_batch: later } = await alice.sync();
    const places = [
      ...markedState(bob.userId).map(([type, key]) => [type, key] as const),
      ['org.example.replaced', ''] as const,
    ];
    return { roomId, eventIds, asked: { roomId, eventIds, places, since: [since, later] } };
  }

  // Which keys a version keeps is proven beside the rules; here, one of each format of events.
  for (const id of ['2', '5', '12'])
    it(`is shown nowhere any more in room version ${id}`, async () => {
      const { roomId, eventIds, asked } = await makeMarkedRoom(id);
      const before = (await Promise.all([alice, bob, carol].map((one) => askForEvents(one, asked)))).flat();
      // The caches have it, and the walk would find it.
      for (const path of [
        '/sync',
        '/messages',
        '/event/',
        '/context/',
        '/state',
        '/members',
        '/joined_members',
        '/relations/',
        '/search',
      ])
        expect(
          before.some((one) => one.asked.includes(path) && one.text.includes(MARK)),
          path,
        ).to.equal(true);
      expect(before.some((one) => one.asked.startsWith(carol.userId) && one.text.includes(MARK))).to.equal(
        true,
      );
      const prev = before.find(
        (one) => one.asked.includes('org.example.replaced') && one.asked.includes('format'),
      );
      expect(prev?.text).to.include(MARK);
      const redactions: string[] = [];
      for (const eventId of eventIds) {
        const answer = await redact(alice, roomId, eventId, { reason: MARK });
        expect(answer.status, eventId).to.equal(200);
        redactions.push((answer.body as Answer).event_id);
      }
      const reasons = await alice.get(pathOf`/rooms/${roomId}/event/${eventIds[0] ?? ''}`);
      expect(reasons.unsigned.redacted_because.content.reason).to.equal(MARK);
      expect(reasons.unsigned.redacted_because.event_id).to.equal(redactions[0]);
      // The redactions themselves are redacted: their reasons go, wherever they stand.
      for (const eventId of redactions) expect((await redact(alice, roomId, eventId)).status).to.equal(200);
      const further = { ...asked, eventIds: [...eventIds, ...redactions] };
      for (const person of [alice, bob, carol])
        for (const one of await askForEvents(person, further))
          expect(one.text, one.asked).not.to.include(MARK);
      const old = await alice.get(pathOf`/rooms/${roomId}/state/m.room.history_visibility/`);
      expect(old).to.deep.equal({ history_visibility: 'shared' });
      const { joined } = await alice.get(pathOf`/rooms/${roomId}/joined_members`);
      expect(joined[bob.userId]).to.deep.equal({});
    });

  it('is not counted as unread any more, whoever has counted it before', async () => {
    const roomId = await alice.room();
    await bob.act('join', roomId);
    const ids = [await alice.say(roomId, 'one'), await alice.say(roomId, 'two')];
    const count = async (): Promise<number> =>
      (await bob.sync()).rooms.join[roomId].unread_notifications.notification_count;
    expect(await count()).to.equal(2);
    await redact(alice, roomId, ids[0] ?? '');
    expect(await count()).to.equal(1);
    await alice.say(roomId, 'three');
    expect(await count()).to.equal(2);
  });

  it('keeps a room world-readable whose visibility was redacted', async () => {
    const roomId = await alice.room();
    const path = pathOf`/rooms/${roomId}/state/m.room.history_visibility/`;
    const { event_id: eventId } = await alice.put(path, { history_visibility: 'world_readable', note: MARK });
    await redact(alice, roomId, eventId);
    await alice.say(roomId, 'open');
    const { chunk } = await carol.get(pathOf`/rooms/${roomId}/messages`, { dir: 'b', limit: 1 });
    expect(chunk[0].content.body).to.equal('open');
  });

  it('gives a room without its name back to its heroes', async () => {
    const roomId = await alice.room({ preset: 'public_chat', name: MARK });
    await bob.act('join', roomId);
    const summary = async () => (await alice.sync()).rooms.join[roomId].summary;
    expect(await summary()).not.to.have.property('m.heroes');
    const name = await alice.get(pathOf`/rooms/${roomId}/state/m.room.name/`, { format: 'event' });
    await redact(alice, roomId, name.event_id);
    expect((await summary())['m.heroes']).to.deep.equal([bob.userId]);
  });

  for (const { id } of ROOM_VERSIONS)
    it(`names its target beside and within the content in room version ${id}, through redact and through send`, async () => {
      const roomId = await alice.room({ preset: 'public_chat', room_version: id });
      await bob.act('join', roomId);
      const target = await bob.say(roomId, 'one');
      const other = await bob.say(roomId, 'two');
      const one = (await redact(bob, roomId, target, { reason: 'r' })).body as Answer;
      const two = await send(bob, roomId, 'm.room.redaction', { redacts: other, reason: 'r' });
      for (const [eventId, redacts] of [
        [one.event_id, target],
        [two, other],
      ]) {
        const event = await alice.get(pathOf`/rooms/${roomId}/event/${eventId}`);
        expect(event.redacts).to.equal(redacts);
        expect(event.content).to.deep.equal({ reason: 'r', redacts });
        const redacted = await alice.get(pathOf`/rooms/${roomId}/event/${redacts}`);
        expect(redacted.content).to.deep.equal({});
        expect(redacted.unsigned.redacted_because.redacts).to.equal(redacts);
      }
      const again = await redact(bob, roomId, target, { reason: 'again' });
      expect(again.status).to.equal(200);
      const redacted = await alice.get(pathOf`/rooms/${roomId}/event/${target}`);
      expect(redacted.unsigned.redacted_because.event_id).to.equal(one.event_id);
    });

  it('is refused to whoever may not, and of what is not there', async () => {
    const roomId = await alice.room();
    await bob.act('join', roomId);
    const elsewhere = await alice.say(await alice.room(), 'elsewhere');
    const own = await alice.say(roomId, 'hers');
    const create = await alice.get(pathOf`/rooms/${roomId}/state/m.room.create/`, { format: 'event' });
    const code = async (answer: ReturnType<typeof redact>): Promise<string> => {
      const { status, body } = await answer;
      return `${status} ${(body as Answer).errcode}`;
    };
    expect(await code(redact(bob, roomId, own))).to.equal('403 M_FORBIDDEN');
    expect(await code(redact(carol, roomId, own))).to.equal('403 M_FORBIDDEN');
    expect(await code(redact(alice, roomId, elsewhere))).to.equal('404 M_NOT_FOUND');
    expect(await code(redact(alice, roomId, '$unknown'))).to.equal('404 M_NOT_FOUND');
    expect(await code(redact(alice, roomId, create.event_id))).to.equal('403 M_FORBIDDEN');
    expect((await alice.get(pathOf`/rooms/${roomId}/event/${own}`)).content.body).to.equal('hers');
  });
});
