import { expect } from 'chai';
import { pathOf } from '../../../../support/http-client.ts';
import {
  type Answer,
  openSyncWorld,
  type Person,
  type SyncQuery,
  type SyncWorld,
} from '../../../sync/sync-world.ts';
import { edit, ignore, redact, related, send } from '../relations/relations-world.ts';

const MESSAGE = 'm.room.message';

/** A word that no other test has said. */
let words = 0;
function newWord(): string {
  words += 1;
  return `word${words}x`;
}

describe('POST /search', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let carol: Person;
  let room: string;
  let word: string;

  before(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
    carol = await world.person('carol');
  });
  after(() => world.stop());
  beforeEach(async () => {
    room = await alice.room();
    await bob.act('join', room);
    word = newWord();
    await ignore(alice);
  });

  async function ask(person: Person, wanted: object, query: SyncQuery = {}): Promise<Answer> {
    const body = { search_categories: { room_events: { search_term: word, ...wanted } } };
    const answer = await person.http.post('/_matrix/client/v3/search', body, { query });
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
    return (answer.body as Answer).search_categories.room_events;
  }
  async function found(person: Person, wanted: object = {}, query: SyncQuery = {}): Promise<string[]> {
    const { results } = await ask(person, { order_by: 'recent', ...wanted }, query);
    return results.map(({ result }: Answer) => result.event_id);
  }

  it('finds messages, names and topics by whole words, however they are written', async () => {
    const said = await alice.say(room, `Some ${word.toUpperCase()}, said.`);
    const state = async (type: string, content: object): Promise<string> =>
      (await alice.put(pathOf`/rooms/${room}/state/${type}`, content)).event_id;
    const name = await state('m.room.name', { name: `the ${word}` });
    const topic = await state('m.room.topic', { topic: `about ${word}` });
    await alice.say(room, `${word}andmore`);
    await send(alice, room, 'org.example', { body: word });
    expect(await found(bob)).to.deep.equal([topic, name, said]);
    expect(await found(bob, { keys: ['content.name'] })).to.deep.equal([name]);
    expect(await found(bob, { keys: ['content.topic', 'content.body'] })).to.deep.equal([topic, said]);
    expect(await found(bob, { keys: [] })).to.deep.equal([topic, name, said]);
    expect(await found(bob, { search_term: `said ${word}` })).to.deep.equal([said]);
    expect(await found(bob, { search_term: `${word} unsaid` })).to.deep.equal([]);
    const answer = await ask(bob, { search_term: `${word} SAID said!` });
    expect(answer.highlights).to.deep.equal([word, 'said']);
    expect(answer.count).to.equal(1);
    expect(answer.results[0].rank).to.be.a('number');
    expect(answer.results[0].result).to.include({ room_id: room, event_id: said });
  });

  it('finds the plain text of a topic, and words without their accents', async () => {
    const path = pathOf`/rooms/${room}/state/m.room.topic`;
    const content = {
      topic: 'x',
      'm.topic': { 'm.text': [{ mimetype: 'text/html', body: 'y' }, { body: word }] },
    };
    const { event_id: topic } = await alice.put(path, content);
    expect(await found(bob)).to.deep.equal([topic]);
    const said = await alice.say(room, `${word} Crème brûlée`);
    expect(await found(bob, { search_term: `${word} creme BRULEE` })).to.deep.equal([said]);
  });

  for (const term of [
    '"',
    '""',
    '"a',
    "'",
    '*',
    'a*',
    'body:',
    'body : a',
    '{body} : a',
    'NEAR(a b)',
    'a AND',
    'OR',
    'NOT a',
    '(',
    ')',
    '-a',
    '^a',
    'a + b',
    '\\',
    ';',
    '%',
    '\0',
    'a\0b',
    '!!!',
    '',
    '   ',
    '😀',
    'r1',
    'room : r1',
    'x'.repeat(5_000),
    'y '.repeat(2_000),
  ])
    it(`takes ${JSON.stringify(term.slice(0, 20))} for words and nothing else`, async () => {
      const answer = await ask(alice, { search_term: term, filter: { rooms: [room] } });
      expect(answer.results).to.deep.equal([]);
      expect(answer.count).to.equal(0);
      const said = await alice.say(room, `${word} and or not near body`);
      expect(await found(alice, { search_term: `${word} AND or NOT near body` })).to.deep.equal([said]);
    });

  it('finds an edit by what it makes of the message', async () => {
    const said = await alice.say(room, `first ${word}`);
    const better = await send(alice, room, MESSAGE, edit(said, `second ${word}`));
    expect(await found(bob, { search_term: `second ${word}` })).to.deep.equal([better]);
    expect(await found(bob, { search_term: `first ${word}` })).to.deep.equal([said]);
    const [item] = (await ask(bob, { search_term: `first ${word}` })).results;
    expect(item.result.unsigned['m.relations']['m.replace'].event_id).to.equal(better);
  });

  it('finds nothing that was redacted, before or after it was indexed', async () => {
    const early = await alice.say(room, word);
    expect(await found(bob)).to.deep.equal([early]);
    await redact(alice, room, early);
    const late = await alice.say(room, word);
    await redact(alice, room, late);
    expect(await found(bob)).to.deep.equal([]);
    expect((await ask(bob, {})).count).to.equal(0);
  });

  it('shows what the user may see: not of rooms of others, nor what came after the user left', async () => {
    const before = await alice.say(room, word);
    expect(await found(carol)).to.deep.equal([]);
    await bob.act('leave', room);
    await alice.say(room, word);
    expect(await found(bob)).to.deep.equal([before]);
    await bob.act('forget', room);
    expect(await found(bob)).to.deep.equal([]);
    const joined = await alice.room({ preset: 'private_chat' });
    const path = pathOf`/rooms/${joined}/state/m.room.history_visibility`;
    await alice.put(path, { history_visibility: 'joined' });
    await alice.say(joined, word);
    await alice.act('invite', joined, carol);
    expect(await found(carol)).to.deep.equal([]);
    await carol.act('join', joined);
    const seen = await alice.say(joined, word);
    expect(await found(carol)).to.deep.equal([seen]);
  });

  it('leaves out who is ignored, and what the filter does not let through', async () => {
    const other = await alice.room();
    const own = await alice.say(room, word);
    const ofBob = await bob.say(room, word);
    const elsewhere = await alice.say(other, word);
    expect(await found(alice)).to.deep.equal([elsewhere, ofBob, own]);
    expect(await found(alice, { filter: { rooms: [room] } })).to.deep.equal([ofBob, own]);
    expect(await found(alice, { filter: { not_rooms: [room] } })).to.deep.equal([elsewhere]);
    expect(await found(alice, { filter: { senders: [bob.userId] } })).to.deep.equal([ofBob]);
    expect(await found(alice, { filter: { types: ['m.room.name'] } })).to.deep.equal([]);
    expect(await found(alice, { filter: { rooms: [] } })).to.deep.equal([]);
    await ignore(alice, bob);
    expect(await found(alice)).to.deep.equal([elsewhere, own]);
  });

  for (const order of ['recent', 'rank'] as const)
    it(`goes on from page to page by ${order}, with nothing twice`, async () => {
      const sent: string[] = [];
      for (let at = 0; at < 7; at += 1)
        sent.push(await alice.say(room, `${`${word} `.repeat(1 + (at % 3))} ${'other '.repeat(at)}`));
      const pages: string[][] = [];
      const ranks: number[] = [];
      let next: string | undefined;
      do {
        const wanted = { order_by: order, filter: { limit: 3 } };
        const answer = await ask(bob, wanted, next === undefined ? {} : { next_batch: next });
        expect(answer.count).to.equal(7);
        pages.push(answer.results.map(({ result }: Answer) => result.event_id));
        ranks.push(...answer.results.map(({ rank }: Answer) => rank));
        next = answer.next_batch;
        await alice.say(room, word);
      } while (next !== undefined);
      expect(pages.map(({ length }) => length)).to.deep.equal([3, 3, 1]);
      if (order === 'recent') expect(pages.flat()).to.deep.equal(sent.toReversed());
      else expect(ranks).to.deep.equal(ranks.toSorted((one, other) => other - one));
      expect(pages.flat().toSorted()).to.deep.equal(sent.toSorted());
    });

  it('groups by room and by sender, and each group goes on', async () => {
    const other = await alice.room();
    const sent: Record<string, string[]> = { [room]: [], [other]: [], [bob.userId]: [] };
    for (let at = 0; at < 3; at += 1) {
      sent[other]?.push(await alice.say(other, word));
      const ofBob = await bob.say(room, word);
      sent[room]?.push(ofBob);
      sent[bob.userId]?.push(ofBob);
    }
    const groupings = { group_by: [{ key: 'room_id' }, { key: 'sender' }] };
    const wanted = { order_by: 'recent', groupings, filter: { limit: 2 } };
    const { groups } = await ask(alice, wanted);
    expect(Object.keys(groups)).to.deep.equal(['room_id', 'sender']);
    expect(groups.room_id[room]).to.deep.include({ order: 0, results: [sent[room]?.[2]] });
    expect(groups.room_id[other]).to.deep.include({ order: 1, results: [sent[other]?.[2]] });
    for (const [key, value] of [
      ['room_id', room],
      ['room_id', other],
      ['sender', bob.userId],
    ] as const) {
      const ids = [...groups[key][value].results];
      let next = groups[key][value].next_batch;
      while (next !== undefined) {
        const more = await ask(alice, wanted, { next_batch: next });
        ids.push(...more.results.map(({ result }: Answer) => result.event_id));
        next = more.next_batch;
      }
      expect(ids, value).to.deep.equal(sent[value]?.toReversed());
    }
  });

  it('shows what was said around, by whom, and the state of the rooms', async () => {
    const around = [await alice.say(room, 'a'), await bob.say(room, 'b')];
    const hit = await bob.say(room, word);
    around.push(await alice.say(room, 'c'), await alice.say(room, 'd'));
    const context = { before_limit: 2, after_limit: 1, include_profile: true };
    const answer = await ask(alice, { event_context: context, include_state: true });
    const [item] = answer.results;
    const idsOf = (events: Answer): string[] => events.map((event: Answer) => event.event_id);
    expect(item.result.event_id).to.equal(hit);
    expect(idsOf(item.context.events_before)).to.deep.equal([around[1], around[0]]);
    expect(idsOf(item.context.events_after)).to.deep.equal([around[2]]);
    expect(item.context.profile_info).to.deep.equal({
      [alice.userId]: { displayname: 'alice' },
      [bob.userId]: { displayname: 'bob' },
    });
    const more = await alice.get(pathOf`/rooms/${room}/messages`, {
      dir: 'f',
      from: item.context.end,
      limit: 1,
    });
    expect(idsOf(more.chunk)).to.deep.equal([around[3]]);
    expect(answer.state[room].map(({ type }: Answer) => type)).to.include('m.room.create');
    const bare = await ask(alice, {});
    expect(bare.results[0]).to.not.have.property('context');
    expect(bare).to.not.have.any.keys('state', 'groups', 'next_batch');
    const standard = await ask(alice, { event_context: {} });
    expect(standard.results[0].context.events_before).to.have.lengthOf(5);
    expect(standard.results[0].context).to.not.have.property('profile_info');
  });

  it('refuses what is not a search', async () => {
    const status = async (body: unknown, query: SyncQuery = {}): Promise<number> =>
      (await alice.http.post('/_matrix/client/v3/search', body, { query })).status;
    const wanted = { search_term: 'x' };
    expect(await status({})).to.equal(400);
    expect(await status({ search_categories: { room_events: {} } })).to.equal(400);
    expect(await status({ search_categories: { room_events: { ...wanted, order_by: 'age' } } })).to.equal(
      400,
    );
    expect(
      await status({ search_categories: { room_events: { ...wanted, keys: ['content.url'] } } }),
    ).to.equal(400);
    expect(await status({ search_categories: {} })).to.equal(200);
    for (const token of [
      'x',
      '',
      'W10',
      Buffer.from('[1,-1]').toString('base64url'),
      Buffer.from('[1,2,"a","b"]').toString('base64url'),
    ])
      expect(
        await status({ search_categories: { room_events: wanted } }, { next_batch: token }),
        token,
      ).to.equal(400);
  });

  it('comes with what relates to the results', async () => {
    const said = await alice.say(room, word);
    await send(bob, room, MESSAGE, related('m.thread', said, 'reply'));
    const [item] = (await ask(bob, {})).results;
    expect(item.result.unsigned['m.relations']['m.thread'].count).to.equal(1);
  });
});
