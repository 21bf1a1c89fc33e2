import { expect } from 'chai';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';

const path = (roomId: string): string => `/rooms/${encodeURIComponent(roomId)}`;
const CLIENT = '/_matrix/client/v3';
const THREADS = { room: { timeline: { unread_thread_notifications: true } } };
const BATCH_MS = 100;

let world: SyncWorld;
let alice: Person;
let bob: Person;
let room: string;
let sent = 0;

async function send(person: Person, content: object, type = 'm.room.message'): Promise<string> {
  sent += 1;
  return (await person.put(`${path(room)}/send/${type}/t${sent}`, content)).event_id;
}
const text = (body: string, more: object = {}): object => ({ msgtype: 'm.text', body, ...more });
const inThread = (root: string): object => ({ 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
const receipt = (person: Person, type: string, eventId: string, threadId?: string): Promise<Answer> =>
  person.post(
    `${path(room)}/receipt/${type}/${encodeURIComponent(eventId)}`,
    threadId === undefined ? {} : { thread_id: threadId },
  );

/** Lets the owner of notifications store what it finds out. */
async function evaluated(): Promise<void> {
  await world.host.idle();
  await world.clock.advance(BATCH_MS);
  await world.host.idle();
}

/** [notifications, highlights], and those of each thread. */
async function counts(person: Person, filter?: object): Promise<Answer> {
  const query = filter === undefined ? {} : { filter: JSON.stringify(filter) };
  const joined = (await person.sync(query)).rooms.join[room];
  const plain = (one: Answer): number[] => [one.notification_count, one.highlight_count];
  if (filter === undefined) return plain(joined.unread_notifications);
  const threads = Object.entries(joined.unread_thread_notifications ?? {});
  return {
    main: plain(joined.unread_notifications),
    ...Object.fromEntries(threads.map(([id, one]) => [id, plain(one)])),
  };
}

async function open(): Promise<void> {
  world = await openSyncWorld();
  alice = await world.person('alice');
  bob = await world.person('bob');
  room = await alice.room();
  await bob.act('join', room);
  await evaluated();
}

describe('unread counts by push rules', () => {
  beforeEach(open);
  afterEach(() => world.stop());

  it('are the same before and after the events are evaluated', async () => {
    const check = async (): Promise<void> => {
      const mentions = { 'm.mentions': { user_ids: [bob.userId] } };
      await send(alice, text('one'));
      await send(alice, text('two', mentions));
      await send(alice, { msgtype: 'm.notice', body: 'no' });
      await send(alice, { ...text('* edit'), 'm.relates_to': { rel_type: 'm.replace', event_id: '$x' } });
    };
    await check();
    expect(await counts(bob)).to.deep.equal([2, 1]);
    await evaluated();
    expect(await counts(bob)).to.deep.equal([2, 1]);
    await check();
    expect(await counts(bob)).to.deep.equal([4, 2]);
    await evaluated();
    await check();
    expect(await counts(bob)).to.deep.equal([6, 3]);
    expect(await counts(alice)).to.deep.equal([0, 0]);
  });

  it('follow receipts, own events and redactions', async () => {
    const one = await send(alice, text('one'));
    const two = await send(alice, text('two'));
    await evaluated();
    await receipt(bob, 'm.read.private', one);
    expect(await counts(bob)).to.deep.equal([1, 0]);
    const three = await send(alice, text('three'));
    await alice.put(`${path(room)}/redact/${encodeURIComponent(three)}/r`, {});
    expect(await counts(bob)).to.deep.equal([1, 0]);
    await evaluated();
    expect(await counts(bob)).to.deep.equal([1, 0]);
    await send(bob, text('mine'));
    expect(await counts(bob)).to.deep.equal([0, 0]);
    await evaluated();
    expect(await counts(bob)).to.deep.equal([0, 0]);
    await send(alice, text('four'));
    expect(await counts(bob)).to.deep.equal([1, 0]);
    await receipt(bob, 'm.read', two);
    await evaluated();
    expect(await counts(bob)).to.deep.equal([1, 0]);
  });

  it('know threads, as receipts do', async () => {
    const root = await send(alice, text('root'));
    const first = await send(alice, text('in', inThread(root)));
    await send(alice, text('too', { ...inThread(root), 'm.mentions': { user_ids: [bob.userId] } }));
    const last = await send(alice, text('main'));
    for (const wait of [() => Promise.resolve(), evaluated]) {
      await wait();
      expect(await counts(bob)).to.deep.equal([4, 1]);
      expect(await counts(bob, THREADS)).to.deep.equal({ main: [2, 0], [root]: [2, 1] });
    }
    await receipt(bob, 'm.read', last, 'main');
    expect(await counts(bob, THREADS)).to.deep.equal({ main: [0, 0], [root]: [2, 1] });
    await receipt(bob, 'm.read', first, root);
    expect(await counts(bob, THREADS)).to.deep.equal({ main: [0, 0], [root]: [1, 1] });
    await receipt(bob, 'm.read', last);
    expect(await counts(bob, THREADS)).to.deep.equal({ main: [0, 0] });
    await send(alice, text('again', inThread(root)));
    await send(bob, text('mine'));
    await evaluated();
    expect(await counts(bob, THREADS)).to.deep.equal({ main: [0, 0], [root]: [1, 0] });
    await send(bob, text('there', inThread(root)));
    await evaluated();
    expect(await counts(bob, THREADS)).to.deep.equal({ main: [0, 0] });
  });

  it('obey the rules that a user makes, and the users that a user ignores', async () => {
    const conditions = [{ kind: 'event_match', key: 'room_id', pattern: room }];
    await bob.put('/pushrules/global/override/quiet', { actions: [], conditions });
    await send(alice, text('one'));
    expect(await counts(bob)).to.deep.equal([0, 0]);
    const muted = { actions: ['notify', { set_tweak: 'highlight' }], pattern: 'cake' };
    await bob.put('/pushrules/global/content/cake', muted);
    expect(await counts(bob)).to.deep.equal([0, 0]);
    await evaluated();
    const gone = await bob.http.request('DELETE', `${CLIENT}/pushrules/global/override/quiet`);
    expect(gone.status).to.equal(200);
    await evaluated();
    await send(alice, text('some cake, please'));
    await evaluated();
    expect(await counts(bob)).to.deep.equal([1, 1]);
    await bob.put(`/user/${bob.userId}/account_data/m.ignored_user_list`, {
      ignored_users: { [alice.userId]: {} },
    });
    await send(alice, text('cake'));
    await evaluated();
    expect(await counts(bob)).to.deep.equal([1, 1]);
  });

  it('go on after the owner of notifications was killed: nothing is lost, nothing counts twice', async () => {
    await send(alice, text('one'));
    const restarted = world.host.restart('push');
    await world.clock.advance(1_000);
    await restarted;
    await send(alice, text('two'));
    await evaluated();
    expect(await counts(bob)).to.deep.equal([2, 0]);
    const { notifications } = await bob.get('/notifications');
    expect(notifications.map((one: Answer) => one.event.content.body)).to.deep.equal(['two', 'one']);
  });
});

describe('GET /notifications', () => {
  beforeEach(open);
  afterEach(() => world.stop());

  it('lists what the user was notified of in pages, highlights alone, and what is read', async () => {
    const first = await send(alice, text('one'));
    await send(alice, text('two', { 'm.mentions': { user_ids: [bob.userId] } }));
    await send(alice, { msgtype: 'm.notice', body: 'no' });
    const third = await send(alice, text('three'));
    await alice.put(`${path(room)}/redact/${encodeURIComponent(third)}/r`, {});
    await send(alice, text('four'));
    await receipt(bob, 'm.read', first);
    await evaluated();
    const plain = ({ notifications, next_token: next }: Answer): unknown => [
      notifications.map((one: Answer) => [
        one.event.content.body,
        one.read,
        one.room_id === room,
        one.actions.length,
      ]),
      next !== undefined,
    ];
    const page = await bob.get('/notifications', { limit: 2 });
    expect(plain(page)).to.deep.equal([
      [
        ['four', false, true, 2],
        ['two', false, true, 3],
      ],
      true,
    ]);
    expect(plain(await bob.get('/notifications', { limit: 2, from: page.next_token }))).to.deep.equal([
      [['one', true, true, 2]],
      false,
    ]);
    expect(plain(await bob.get('/notifications', { only: 'highlight' }))).to.deep.equal([
      [['two', false, true, 3]],
      false,
    ]);
    expect(
      (await bob.http.request('GET', `${CLIENT}/notifications`, { query: { from: 'x' } })).status,
    ).to.equal(400);
  });

  it('has invites', async () => {
    const carol = await world.person('carol');
    await alice.act('invite', room, carol);
    await evaluated();
    const { notifications } = await carol.get('/notifications');
    expect(notifications.map((one: Answer) => [one.event.type, one.event.state_key])).to.deep.equal([
      ['m.room.member', carol.userId],
    ]);
  });
});

describe("push rules of a user's own", () => {
  before(open);
  after(() => world.stop());

  const put = (kind: string, ruleId: string, body: object, query = {}) =>
    bob.http.request('PUT', `${CLIENT}/pushrules/global/${kind}/${ruleId}`, { body, query });
  const order = async (): Promise<string[]> =>
    (await bob.get('/pushrules/')).global.content.map((rule: Answer) => rule.rule_id);
  const RULE = { actions: ['notify'], pattern: 'x' };

  it('stand where they are put', async () => {
    for (const ruleId of ['a', 'b', 'c']) expect((await put('content', ruleId, RULE)).status).to.equal(200);
    expect(await order()).to.deep.equal(['c', 'b', 'a']);
    await put('content', 'd', RULE, { after: 'b' });
    await put('content', 'a', RULE, { before: 'c' });
    expect(await order()).to.deep.equal(['a', 'c', 'b', 'd']);
    await bob.put('/pushrules/global/content/b/enabled', { enabled: false });
    await put('content', 'b', { actions: [], pattern: 'y' });
    expect(await order()).to.deep.equal(['a', 'c', 'b', 'd']);
    expect(await bob.get('/pushrules/global/content/b')).to.deep.equal({
      rule_id: 'b',
      default: false,
      enabled: false,
      actions: [],
      pattern: 'y',
    });
  });

  it('are refused when they are wrong', async () => {
    const wrong: readonly [string, string, object, object, string][] = [
      ['nonsense', 'x', RULE, {}, 'M_INVALID_PARAM'],
      ['content', '.x', RULE, {}, 'M_INVALID_PARAM'],
      ['content', 'x%2Fy', RULE, {}, 'M_INVALID_PARAM'],
      ['content', 'x', { actions: [] }, {}, 'M_MISSING_PARAM'],
      ['content', 'x', { pattern: 'x' }, {}, 'M_MISSING_PARAM'],
      ['content', 'x', { ...RULE, actions: ['shout'] }, {}, 'M_INVALID_PARAM'],
      ['content', 'x', RULE, { before: 'nobody' }, 'M_UNKNOWN'],
      ['content', 'x', RULE, { after: '.m.rule.master' }, 'M_UNKNOWN'],
      [
        'override',
        'x',
        { actions: [], conditions: [{ kind: 'event_match', key: 'x' }] },
        {},
        'M_INVALID_PARAM',
      ],
      ['override', 'x', { actions: [], conditions: [{}] }, {}, 'M_INVALID_PARAM'],
    ];
    for (const [kind, ruleId, body, query, errcode] of wrong) {
      const answer = await put(kind, ruleId, body, query);
      expect([answer.status, (answer.body as Answer).errcode], JSON.stringify(body)).to.deep.equal([
        400,
        errcode,
      ]);
    }
    const unknown = { actions: [], conditions: [{ kind: 'org.example.unknown' }] };
    expect((await put('override', 'x', unknown)).status).to.equal(200);
  });

  it('are gone when they are deleted, and the default ones stay', async () => {
    const remove = (kind: string, ruleId: string) =>
      bob.http.request('DELETE', `${CLIENT}/pushrules/global/${kind}/${ruleId}`);
    await put('sender', alice.userId, { actions: [] });
    expect((await remove('sender', alice.userId)).status).to.equal(200);
    expect((await remove('sender', alice.userId)).status).to.equal(404);
    expect((await remove('override', '.m.rule.master')).status).to.equal(404);
    expect((await bob.get('/pushrules/')).global.sender).to.deep.equal([]);
  });
});
