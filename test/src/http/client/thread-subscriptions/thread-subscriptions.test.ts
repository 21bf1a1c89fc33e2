import { expect } from 'chai';
import type { JsonObject } from '../../../../../src/kit/json.ts';
import type { HttpAnswer } from '../../../../support/http-client.ts';
import {
  type Answer,
  openSyncWorld,
  type Person,
  type SyncQuery,
  type SyncWorld,
} from '../../../sync/sync-world.ts';

const UNSTABLE = '/_matrix/client/unstable';
const V3 = '/_matrix/client/v3';
const BATCH_MS = 100;

let world: SyncWorld;
let alice: Person;
let bob: Person;
let room: string;
let sent = 0;

const escaped = encodeURIComponent;

async function say(person: Person, root: string | null = null, more: object = {}): Promise<string> {
  sent += 1;
  const relation = root === null ? {} : { 'm.relates_to': { rel_type: 'm.thread', event_id: root } };
  const path = `/rooms/${escaped(room)}/send/m.room.message/t${sent}`;
  return (await person.put(path, { msgtype: 'm.text', body: 'x', ...relation, ...more })).event_id;
}

function subscription(method: string, person: Person, root: string, body?: JsonObject): Promise<HttpAnswer> {
  const path = `${UNSTABLE}/io.element.msc4306/rooms/${escaped(room)}/thread/${escaped(root)}/subscription`;
  return person.http.request(method, path, body === undefined ? {} : { body });
}
async function expectOk(answer: Promise<HttpAnswer>): Promise<Answer> {
  const { status, text, body } = await answer;
  expect(status, text).to.equal(200);
  return body;
}
const subscribe = (person: Person, root: string, cause?: string): Promise<Answer> =>
  expectOk(subscription('PUT', person, root, cause === undefined ? {} : { automatic: cause }));
const unsubscribe = (person: Person, root: string): Promise<Answer> =>
  expectOk(subscription('DELETE', person, root));
const errorOf = async (answer: Promise<HttpAnswer>): Promise<unknown[]> => {
  const { status, body } = await answer;
  return [status, (body as Answer).errcode];
};
const list = (person: Person, query: SyncQuery = {}): Promise<HttpAnswer> =>
  person.http.request('GET', `${UNSTABLE}/io.element.msc4308/thread_subscriptions`, {
    query: { dir: 'b', ...query },
  });

async function evaluated(): Promise<void> {
  await world.host.idle();
  await world.clock.advance(BATCH_MS);
  await world.host.idle();
}

async function counts(person: Person): Promise<Answer> {
  const filter = JSON.stringify({ room: { timeline: { unread_thread_notifications: true } } });
  const joined = (await person.sync({ filter })).rooms.join[room];
  const threads = Object.entries(joined.unread_thread_notifications ?? {});
  return {
    main: joined.unread_notifications.notification_count,
    ...Object.fromEntries(threads.map(([id, one]) => [id, (one as Answer).notification_count])),
  };
}

describe('subscriptions to threads (MSC4306, MSC4308)', () => {
  before(async () => {
    world = await openSyncWorld();
    [alice, bob] = [await world.person('alice'), await world.person('bob')];
  });
  beforeEach(async () => {
    room = await alice.room();
    await bob.act('join', room);
    await evaluated();
  });
  after(() => world.stop());

  it('begin by hand or by an event of the thread, and end', async () => {
    const root = await say(alice);
    expect(await errorOf(subscription('GET', bob, root))).to.deep.equal([404, 'M_NOT_FOUND']);
    expect(await unsubscribe(bob, root), 'without one').to.deep.equal({});
    const reply = await say(alice, root);
    expect(await subscribe(bob, root, reply)).to.deep.equal({});
    expect(await expectOk(subscription('GET', bob, root))).to.deep.equal({ automatic: true });
    await subscribe(bob, root);
    expect(await expectOk(subscription('GET', bob, root))).to.deep.equal({ automatic: false });
    await subscribe(bob, root, reply);
    expect(await expectOk(subscription('GET', bob, root))).to.deep.equal({ automatic: false });
    await unsubscribe(bob, root);
    expect(await errorOf(subscription('GET', bob, root))).to.deep.equal([404, 'M_NOT_FOUND']);
  });

  it('are of threads that there are and that the user may see, for causes in them', async () => {
    const root = await say(alice);
    const other = await say(alice);
    const elsewhere = await say(alice, other);
    for (const method of ['GET', 'PUT', 'DELETE'])
      expect(
        await errorOf(subscription(method, bob, '$nothing', method === 'PUT' ? {} : undefined)),
      ).to.deep.equal([404, 'M_NOT_FOUND']);
    const secret = await alice.room({ preset: 'private_chat' });
    const hidden = await alice.say(secret, 'x');
    const path = `${UNSTABLE}/io.element.msc4306/rooms/${escaped(secret)}/thread/${escaped(hidden)}/subscription`;
    expect(await errorOf(bob.http.request('PUT', path, { body: {} }))).to.deep.equal([404, 'M_NOT_FOUND']);
    const refusal = [400, 'IO.ELEMENT.MSC4306.M_NOT_IN_THREAD'];
    for (const cause of [root, other, elsewhere])
      expect(await errorOf(subscription('PUT', bob, root, { automatic: cause }))).to.deep.equal(refusal);
    expect(await errorOf(subscription('PUT', bob, root, { automatic: '$nothing' }))).to.deep.equal([
      404,
      'M_NOT_FOUND',
    ]);
    expect(await errorOf(subscription('PUT', bob, root, { automatic: true }))).to.deep.equal([
      400,
      'M_BAD_JSON',
    ]);
  });

  it('do not come back by what was there when they ended', async () => {
    const root = await say(alice);
    const first = await say(alice, root);
    await subscribe(bob, root, first);
    const second = await say(alice, root);
    await unsubscribe(bob, root);
    const third = await say(alice, root);
    for (const cause of [first, second])
      expect(await errorOf(subscription('PUT', bob, root, { automatic: cause }))).to.deep.equal([
        409,
        'IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION',
      ]);
    expect(await errorOf(subscription('GET', bob, root))).to.deep.equal([404, 'M_NOT_FOUND']);
    await subscribe(bob, root, third);
    expect(await expectOk(subscription('GET', bob, root))).to.deep.equal({ automatic: true });
  });

  it('decide what threads notify of, before and after it is stored; the room may be muted', async () => {
    const [one, two] = [await say(alice), await say(alice)];
    await subscribe(bob, one);
    const bump = async (): Promise<void> => {
      for (const root of [one, two]) await say(alice, root);
    };
    await bump();
    expect(await counts(bob)).to.deep.equal({ main: 2, [one]: 1 });
    await evaluated();
    expect(await counts(bob)).to.deep.equal({ main: 2, [one]: 1 });
    await bob.put(`/pushrules/global/room/${escaped(room)}`, { actions: [] });
    await say(alice);
    await bump();
    expect(await counts(bob)).to.deep.equal({ main: 2, [one]: 2 });
    await evaluated();
    expect(await counts(bob)).to.deep.equal({ main: 2, [one]: 2 });
    await unsubscribe(bob, one);
    await bump();
    await say(alice, two, { 'm.mentions': { user_ids: [bob.userId] } });
    await evaluated();
    expect(await counts(bob)).to.deep.equal({ main: 2, [one]: 2, [two]: 1 });
  });

  it('leave alone who has never subscribed: threads notify as the specification says', async () => {
    const carol = await world.person('carol');
    await carol.act('join', room);
    const root = await say(alice);
    await say(alice, root);
    await evaluated();
    expect(await counts(carol)).to.deep.equal({ main: 1, [root]: 1 });
    expect((await carol.get('/pushrules/')).global).to.have.all.keys(
      'override',
      'content',
      'room',
      'sender',
      'underride',
    );
    await subscribe(carol, await say(alice));
    await say(alice, root);
    await evaluated();
    expect(await counts(carol), 'from the first subscription on').to.deep.equal({ main: 2, [root]: 1 });
  });

  it('bring the rules for threads with the first, to sync, too; they can be switched, not added', async () => {
    const dave = await world.person('dave');
    await dave.act('join', room);
    await dave.next();
    const root = await say(alice);
    await subscribe(dave, root);
    const events: readonly Answer[] = (await dave.next()).account_data.events;
    const told = events.find(({ type }) => type === 'm.push_rules').content.global;
    const rules = (await dave.get('/pushrules/')).global;
    expect(told).to.deep.equal(rules);
    const ids = [
      '.io.element.msc4306.rule.unsubscribed_thread',
      '.io.element.msc4306.rule.subscribed_thread',
    ];
    expect(rules.postcontent.map((rule: Answer) => rule.rule_id)).to.deep.equal(ids);
    expect(rules.postcontent[1].conditions).to.deep.equal([
      { kind: 'io.element.msc4306.thread_subscription', subscribed: true },
    ]);
    const path = `${V3}/pushrules/global/postcontent`;
    const own = { body: { conditions: [], actions: ['notify'] } };
    expect(await errorOf(dave.http.request('PUT', `${path}/mine`, own))).to.deep.equal([
      400,
      'M_INVALID_PARAM',
    ]);
    await unsubscribe(dave, root);
    expect((await dave.next()).account_data, 'the rules stay').to.equal(undefined);
    await dave.put(`/pushrules/global/postcontent/${ids[0]}/enabled`, { enabled: false });
    expect((await dave.get(`/pushrules/global/postcontent/${ids[0]}`)).enabled).to.equal(false);
    await say(alice, root);
    expect(await counts(dave), 'the rule is off').to.deep.equal({ main: 1, [root]: 1 });
    const eve = await world.person('eve');
    expect(await errorOf(eve.http.request('GET', `${path}/${ids[0]}`))).to.deep.equal([404, 'M_NOT_FOUND']);
  });

  it('are paged from the newest, each thread once, between two tokens', async () => {
    const roots = [await say(alice), await say(alice), await say(alice), await say(alice)];
    const [one = '', two = '', three = '', four = ''] = roots;
    const before = (await bob.sync()).next_batch as string;
    expect(await expectOk(list(bob, { to: before }))).to.deep.equal({});
    await subscribe(bob, one);
    await subscribe(bob, two);
    const since = (await bob.sync()).next_batch as string;
    await subscribe(bob, three, await say(alice, three));
    await subscribe(bob, four);
    await unsubscribe(bob, one);
    const automatic = (answer: Answer): unknown =>
      Object.fromEntries(
        Object.entries<Answer>(answer.subscribed?.[room] ?? {}).map(([id, value]) => [id, value.automatic]),
      );
    const first = await expectOk(list(bob, { limit: 2 }));
    expect(automatic(first)).to.deep.equal({ [four]: false });
    expect(Object.keys(first.unsubscribed[room])).to.deep.equal([one]);
    expect(first.unsubscribed[room][one].bump_stamp).to.be.greaterThan(
      first.subscribed[room][four].bump_stamp,
    );
    // What comes later is not in the pages that go on.
    await subscribe(bob, one);
    const second = await expectOk(list(bob, { limit: 2, from: first.end, to: before }));
    expect(automatic(second)).to.deep.equal({ [three]: true, [two]: false });
    expect(second).not.to.have.any.keys('end', 'unsubscribed');
    const between = await expectOk(list(bob, { from: first.end, to: since }));
    expect(automatic(between)).to.deep.equal({ [three]: true });
    expect(automatic(await expectOk(list(bob, { to: since })))).to.deep.equal({
      [one]: false,
      [four]: false,
      [three]: true,
    });
    for (const query of [{ dir: 'f' }, { limit: 0 }, { from: '?' }, { to: '?' }])
      expect(await errorOf(list(bob, query))).to.deep.equal([400, 'M_INVALID_PARAM']);
    expect((await expectOk(list(alice))).subscribed?.[room], 'of nobody else').to.equal(undefined);
  });

  it('go with a room that their user forgets', async () => {
    const root = await say(alice);
    await subscribe(bob, root);
    await subscribe(alice, root);
    await bob.act('leave', room);
    const rooms = async (person: Person): Promise<readonly string[]> =>
      Object.keys((await expectOk(list(person))).subscribed);
    expect(await rooms(bob)).to.include(room);
    await bob.act('forget', room);
    await world.host.idle();
    expect(await rooms(bob)).not.to.include(room);
    expect(await rooms(alice)).to.include(room);
  });

  it('are claimed in /versions', async () => {
    const { unstable_features: flags } = await expectOk(
      alice.http.request('GET', '/_matrix/client/versions'),
    );
    for (const flag of ['org.matrix.msc4306', 'org.matrix.msc4155', 'org.matrix.msc4380.stable'])
      expect(flags[flag], flag).to.equal(true);
  });
});
