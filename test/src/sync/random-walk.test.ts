import { randomInt } from 'node:crypto';
import { expect } from 'chai';
import { seededRandom } from '../../../src/kit/random.ts';
import { type BelievedRoom, type Form, makeNaiveClient, type NaiveClient } from './naive-client.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from './sync-world.ts';

const WALKS = 3;
const STEPS = 60;
const EVERYTHING = { room: { include_leave: true, timeline: { limit: 200 } } };

const path = (roomId: string): string => `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`;

/** Filters that hide nothing for good: what they keep out of the timeline has to come as state. */
const FILTERS: readonly object[] = [
  {},
  { room: { timeline: { limit: 0 } } },
  { room: { timeline: { limit: 1 } } },
  { room: { timeline: { limit: 3 } } },
  { room: { timeline: { limit: 2, types: ['m.room.message'] } } },
  { room: { timeline: { limit: 20, types: ['m.room.message'] } } },
  { room: { timeline: { not_types: ['m.room.member'] } } },
];
const LAZY_FILTERS: readonly object[] = [
  { room: { state: { lazy_load_members: true }, timeline: { limit: 2 } } },
  { room: { state: { lazy_load_members: true }, timeline: { limit: 20 } } },
];

interface Walker {
  readonly name: string;
  readonly person: Person;
  readonly client: NaiveClient;
  readonly form: Form;
  readonly filters: readonly object[];
}

type Pick = <Item>(items: readonly Item[]) => Item;

const ACTIONS = [
  'say',
  'say',
  'say',
  'name',
  'rename',
  'join',
  'join',
  'leave',
  'invite',
  'kick',
  'ban',
  'unban',
];
const OWN_ACTIONS = ['read', 'tag', 'untag', 'set', 'redact', 'forget', 'knock'];

/** Does something that may well be refused. */
async function act(
  pick: Pick,
  people: readonly Person[],
  rooms: readonly string[],
  step: number,
): Promise<void> {
  const person = pick(people);
  const room = pick(rooms);
  const at = path(room);
  const other = { user_id: pick(people).userId };
  const { http, userId } = person;
  const own = `/_matrix/client/v3/user/${userId}`;
  const send = (method: string, to: string, body: Answer): Promise<unknown> =>
    http.request(method, to, { body });
  const action = pick([...ACTIONS, ...OWN_ACTIONS]);
  const newest = async (): Promise<string> => {
    const answer = await http.request('GET', `${at}/messages`, { query: { dir: 'b', limit: 3 } });
    return encodeURIComponent((answer.body as Answer).chunk?.at(-1)?.event_id ?? '$none');
  };
  if (action === 'say')
    await send('PUT', `${at}/send/m.room.message/${step}`, { msgtype: 'm.text', body: 'hi' });
  else if (action === 'name') await send('PUT', `${at}/state/m.room.name`, { name: `${step}` });
  else if (action === 'rename') {
    const content = { membership: 'join', displayname: `${step}` };
    const known = await http.request('GET', `${at}/state/m.room.member/${userId}`, {});
    if ((known.body as Answer).membership === 'join')
      await send('PUT', `${at}/state/m.room.member/${userId}`, content);
  } else if (action === 'read') await send('POST', `${at}/receipt/m.read/${await newest()}`, {});
  else if (action === 'tag') await send('PUT', `${own}/rooms/${room}/account_data/test`, { step });
  else if (action === 'untag') await send('PUT', `${own}/rooms/${room}/account_data/test`, {});
  else if (action === 'set') await send('PUT', `${own}/account_data/test`, step % 3 === 0 ? {} : { step });
  else if (action === 'redact') await send('PUT', `${at}/redact/${await newest()}/${step}`, {});
  else if (action === 'knock') await send('POST', `/_matrix/client/v3/knock/${encodeURIComponent(room)}`, {});
  else if (['join', 'leave', 'forget'].includes(action)) await send('POST', `${at}/${action}`, {});
  else await send('POST', `${at}/${action}`, other);
}

function plain(map: ReadonlyMap<string, unknown>): Record<string, unknown> {
  return Object.fromEntries([...map].toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

function compareRoom(believed: BelievedRoom, truth: BelievedRoom, isLazy: boolean, where: string): void {
  expect(believed.section, `${where}: section`).to.equal(truth.section);
  if (truth.section !== 'join') return;
  const known = isLazy ? [...truth.state].filter(([key]) => believed.state.has(key)) : [...truth.state];
  expect(plain(believed.state), `${where}: state`).to.deep.equal(plain(new Map(known)));
  expect(
    truth.messages.slice(-believed.messages.length || truth.messages.length),
    `${where}: messages`,
  ).to.deep.equal(believed.messages);
  expect(plain(believed.accountData), `${where}: account data`).to.deep.equal(plain(truth.accountData));
  expect(plain(believed.counts), `${where}: summary`).to.deep.equal(plain(truth.counts));
  expect(believed.unread, `${where}: unread`).to.equal(truth.unread);
}

async function compare(walker: Walker): Promise<void> {
  const { person, client, form, name } = walker;
  const fresh = makeNaiveClient(person, form);
  await fresh.sync(EVERYTHING, false);
  const isLazy = walker.filters === LAZY_FILTERS;
  expect(plain(client.accountData), `${name}: account data`).to.deep.equal(plain(fresh.accountData));
  for (const [roomId, truth] of fresh.rooms) {
    const believed = client.rooms.get(roomId);
    // What was left before the client began, or forgotten, it need not know.
    if (believed === undefined && truth.section === 'leave') continue;
    if (believed === undefined) throw new Error(`${name} has never heard of ${roomId}`);
    compareRoom(believed, truth, isLazy, `${name} in ${roomId}`);
    if (truth.section !== 'join') continue;
    const state = (await person.http.request('GET', `${path(roomId)}/state`, {})).body as Answer[];
    const current = new Map(state.map((event) => [`${event.type} ${event.state_key}`, event.event_id]));
    expect(plain(truth.state), `${name} in ${roomId}: the server's state`).to.deep.equal(plain(current));
  }
  for (const [roomId, { section }] of client.rooms)
    if (section !== 'leave')
      expect(fresh.rooms.get(roomId)?.section, `${name} in ${roomId}`).to.equal(section);
}

describe('sync: a client that believes every answer', () => {
  let world: SyncWorld;

  before(async () => {
    world = await openSyncWorld();
  });
  after(() => world.stop());

  async function walk(seed: number, label: string): Promise<void> {
    const random = seededRandom(seed);
    const draw = (): number => random.integer(1_000_000) / 1_000_000;
    const pick: Pick = (items) => items[Math.floor(draw() * items.length)] as never;
    const people = await Promise.all(['a', 'b', 'c'].map((name) => world.person(`${name}${label}`)));
    const [first, second] = people as [Person, Person];
    const rooms = [await first.room({ preset: 'public_chat', name: 'Den' }), await second.room()];
    const knockable = { type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } };
    rooms.push(await first.room({ preset: 'public_chat', initial_state: [knockable] }));
    const walkers: Walker[] = [];
    for (const [index, person] of people.entries())
      for (const form of ['state', 'state_after'] as const) {
        const device = await world.device(person);
        const filters = index === 2 ? LAZY_FILTERS : FILTERS;
        const name = `${device.userId} with ${form}`;
        walkers.push({ name, person: device, client: makeNaiveClient(device, form), form, filters });
      }
    for (let step = 0; step < STEPS; step += 1) {
      await act(pick, people, rooms, step);
      if (draw() < 0.6) {
        const { client, filters } = pick(walkers);
        if (draw() < 0.05) client.restart();
        await client.sync(pick(filters), draw() < 0.1);
      }
    }
    for (const walker of walkers) {
      await walker.client.sync(pick(walker.filters), false);
      await compare(walker);
    }
  }

  for (let index = 0; index < WALKS; index += 1)
    it(`ends with what a fresh client and the server have, whatever it was told of on the way (${index + 1})`, async () => {
      const seed = Number(process.env['SYNC_WALK_SEED'] ?? randomInt(2 ** 31));
      try {
        await walk(seed, `${index}`);
      } catch (error) {
        throw new Error(`SYNC_WALK_SEED=${seed}`, { cause: error });
      }
    });
});
