import { createHash } from 'node:crypto';
import { expect } from 'chai';
import type { JsonObject } from '../../../../../src/kit/json.ts';
import { isRefusal } from '../../../../../src/matrix/refusal.ts';
import { pathOf } from '../../../../support/http-client.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';

const PATH = '/_matrix/client/unstable/event_relationships';

describe('event_relationships (MSC2836)', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let roomId: string;
  const ids = new Map<string, string>();

  /** Sends an event that refers to another one, at a time of its own. */
  async function say(person: Person, name: string, parent?: string): Promise<void> {
    await world.clock.advance(1);
    const relation =
      parent === undefined ? {} : { rel_type: 'm.reference', event_id: ids.get(parent) ?? parent };
    const content = {
      msgtype: 'm.text',
      body: name,
      ...(parent !== undefined && { 'm.relates_to': relation }),
    };
    const sent = await world.host.ref('rooms').ask('rooms.send-event', {
      roomId,
      sender: person.userId,
      event: { type: 'm.room.message', content },
      transaction: null,
      originServerTs: null,
    });
    if (isRefusal(sent)) throw new Error(sent.error);
    await world.streams.reached('events', sent.position);
    ids.set(name, sent.eventId);
  }

  before(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
    roomId = await alice.room();
    await bob.act('join', roomId);
    //   A ─ B ─┬─ C ─┬─ E ─ I
    //          │     └─ F
    //          └─ D ─┬─ G ─ J ─ L
    //                └─ H ─ K
    const tree = ['A', 'BA', 'CB', 'DB', 'EC', 'FC', 'GD', 'HD', 'IE', 'JG', 'KH', 'LJ'];
    for (const [name = '', parent] of tree) await say(name === 'F' ? bob : alice, name, parent);
  });
  after(() => world.stop());

  const nameOf = (event: Answer): string => event.content.body ?? event.type;

  async function ask(body: JsonObject, person = alice): Promise<Answer> {
    const answer = await person.http.post(PATH, body);
    expect(answer.status, answer.text).to.equal(200);
    return answer.body;
  }

  async function walk(name: string, body: JsonObject, person = alice): Promise<string> {
    const { events } = await ask({ event_id: ids.get(name) ?? '', ...body }, person);
    return events.map(nameOf).join('');
  }

  const OLDEST = { recent_first: false };
  const CASES: readonly (readonly [from: string, body: JsonObject, told: string])[] = [
    ['A', { ...OLDEST, max_depth: 4, max_breadth: 2, limit: 10 }, 'ABCDEFGHIJ'],
    ['A', {}, 'ABDCHGFE'],
    ['A', { max_depth: -1, max_breadth: -1 }, 'ABDCHGFEKJIL'],
    ['A', { ...OLDEST, max_depth: -1, depth_first: true }, 'ABCEIFDGJLHK'],
    ['A', { ...OLDEST, max_depth: -1, max_breadth: 1 }, 'ABCEI'],
    ['A', { max_depth: 0 }, 'A'],
    ['B', { max_depth: 0, include_parent: true, include_children: true }, 'BADC'],
    ['B', { ...OLDEST, max_depth: 1, include_parent: true, include_children: true }, 'BACD'],
    ['L', { direction: 'up' }, 'LJGD'],
    ['L', { direction: 'up', max_depth: -1 }, 'LJGDBA'],
    ['A', { direction: 'up', include_parent: true }, 'A'],
  ];
  for (const [from, body, told] of CASES)
    it(`walks from ${from} with ${JSON.stringify(body)} to ${told}`, async () => {
      expect(await walk(from, body)).to.equal(told);
    });

  it('tells how many children an event has, and which', async () => {
    const { events, limited } = await ask({ event_id: ids.get('B') ?? '', max_depth: 1 });
    expect(limited).to.equal(false);
    const [first] = events;
    const children = [ids.get('C') ?? '', ids.get('D') ?? ''].toSorted();
    expect(first.unsigned.children).to.deep.equal({ 'm.reference': 2 });
    expect(first.unsigned.children_hash).to.equal(
      createHash('sha256').update(children.join('')).digest('hex'),
    );
    expect(first.room_id).to.equal(roomId);
  });

  it('tells the rest in pages, each event once, whatever is said meanwhile', async () => {
    const body = { event_id: ids.get('A') ?? '', max_depth: -1, limit: 5 };
    const pages: string[] = [];
    let batch: string | undefined;
    do {
      const answer = await ask({ ...body, ...(batch !== undefined && { batch }) });
      pages.push(answer.events.map(nameOf).join(''));
      expect(answer.limited).to.equal(answer.next_batch !== undefined);
      batch = answer.next_batch;
      if (pages.length === 1) await say(alice, 'new', 'A');
    } while (batch !== undefined);
    expect(pages).to.deep.equal(['ABDCH', 'GFEKJ', 'IL']);
    const redacted = pathOf`/rooms/${roomId}/redact/${ids.get('new') ?? ''}/gone`;
    await alice.put(redacted);
    expect(await walk('A', { max_depth: 1 })).to.equal('AB');
  });

  it('goes round no circle, and not out of the room', async () => {
    await say(alice, 'x');
    const elsewhere = await alice.room();
    const far = await alice.say(elsewhere, 'far');
    await say(alice, 'y', far);
    expect(await walk('y', { direction: 'up', include_parent: true })).to.equal('y');
    expect((await ask({ event_id: far })).events.map(nameOf)).to.deep.equal(['far']);
  });

  it('keeps from everybody what they may not see, and does not walk through it', async () => {
    const hidden = await alice.room({
      preset: 'public_chat',
      initial_state: [
        { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'joined' } },
      ],
    });
    const before = roomId;
    roomId = hidden;
    await say(alice, 'root');
    await say(alice, 'secret', 'root');
    await bob.act('join', hidden);
    await say(alice, 'seen', 'secret');
    roomId = before;
    expect(await walk('root', { max_depth: -1 })).to.equal('rootsecretseen');
    expect(await walk('seen', { direction: 'up', include_parent: true }, bob)).to.equal('seen');
    for (const name of ['root', 'secret', 'nothing']) {
      const { status, body } = await bob.http.post(PATH, { event_id: ids.get(name) ?? '$nothing' });
      expect([status, (body as Answer).errcode], name).to.deep.equal([404, 'M_NOT_FOUND']);
    }
    const ignored = { ignored_users: { [bob.userId]: {} } };
    await alice.put(pathOf`/user/${alice.userId}/account_data/m.ignored_user_list`, ignored);
    expect(await walk('C', OLDEST)).to.equal('CEI');
    await alice.put(pathOf`/user/${alice.userId}/account_data/m.ignored_user_list`, { ignored_users: {} });
  });

  it('refuses what is no batch of ours, and what is of the wrong shape', async () => {
    const event_id = ids.get('A') ?? '';
    for (const [body, code] of [
      [{ event_id, batch: 'x' }, 'M_INVALID_PARAM'],
      [{ event_id, batch: '1_99999' }, 'M_INVALID_PARAM'],
      [{ event_id, direction: 'sideways' }, 'M_BAD_JSON'],
      [{ event_id, max_depth: 'deep' }, 'M_BAD_JSON'],
    ] as const) {
      const answer = await alice.http.post(PATH, body);
      expect([answer.status, (answer.body as Answer).errcode], answer.text).to.deep.equal([400, code]);
    }
  });
});
