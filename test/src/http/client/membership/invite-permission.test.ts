import { expect } from 'chai';
import type { JsonObject } from '../../../../../src/kit/json.ts';
import { makeForeignRoom, received } from '../../../../support/foreign-room.ts';
import type { HttpAnswer } from '../../../../support/http-client.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';

const V3 = '/_matrix/client/v3';
const STABLE = 'm.invite_permission_config';
const FILTER = 'org.matrix.msc4155.invite_permission_config';
const IGNORED = 'm.ignored_user_list';
const REMOTE = '@remote:other.example';
const BATCH_MS = 100;

let world: SyncWorld;
let alice: Person;
let bob: Person;

const escaped = encodeURIComponent;
const set = (type: string, content: JsonObject): Promise<Answer> =>
  bob.put(`/user/${escaped(bob.userId)}/account_data/${type}`, content);
const post = (path: string, body: JsonObject): Promise<HttpAnswer> =>
  alice.http.request('POST', `${V3}${path}`, { body });
const invite = (room: string): Promise<HttpAnswer> =>
  post(`/rooms/${escaped(room)}/invite`, { user_id: bob.userId });

async function expectBlocked(answer: Promise<HttpAnswer>): Promise<void> {
  const { status, body } = await answer;
  expect([status, (body as Answer).errcode]).to.deep.equal([403, 'M_INVITE_BLOCKED']);
}
async function expectOk(answer: Promise<HttpAnswer>): Promise<Answer> {
  const { status, text, body } = await answer;
  expect(status, text).to.equal(200);
  return body;
}

/** Where bob is told of a room: by sync, by what there was before it, and by notifications. */
async function told(room: string): Promise<readonly string[]> {
  await world.host.idle();
  await world.clock.advance(BATCH_MS);
  await world.host.idle();
  const sections = (await bob.sync()).rooms ?? {};
  const old = (await bob.get('/initialSync')).rooms as readonly Answer[];
  const notified = (await bob.get('/notifications')).notifications as readonly Answer[];
  return [
    ...Object.keys(sections).filter((name) => room in sections[name]),
    ...(old.some((one) => one.room_id === room) ? ['old'] : []),
    ...(notified.some((one) => one.room_id === room) ? ['notified'] : []),
  ];
}

async function receiveInvite(): Promise<{ readonly roomId: string; readonly answer: Answer }> {
  const room = makeForeignRoom();
  const event = received(room.member(bob.userId, 'invite', REMOTE));
  const answer = await world.host.ref('rooms').ask('rooms.receive-invite', {
    roomId: room.roomId,
    roomVersion: room.version,
    event,
    strippedState: room.inviteState('m.room.create', 'm.room.join_rules'),
    receivedFrom: 'other.example',
  });
  if (answer.kind === 'sent') await world.streams.reached('events', answer.position);
  return { roomId: room.roomId, answer };
}

describe('invites that their user does not want', () => {
  before(async () => {
    world = await openSyncWorld();
    [alice, bob] = [await world.person('alice'), await world.person('bob')];
  });
  beforeEach(async () => {
    for (const type of [STABLE, FILTER, IGNORED]) await set(type, {});
  });
  after(() => world.stop());

  for (const [type, content] of [
    [STABLE, { default_action: 'block' }],
    [FILTER, { blocked_users: ['*'] }],
    [FILTER, { enabled: true, blocked_servers: ['example.*', 'other.example'] }],
  ] as const)
    it(`are refused on every way in: ${JSON.stringify(content)}`, async () => {
      await set(type, content);
      const room = await alice.room();
      await expectBlocked(invite(room));
      const member = `/rooms/${escaped(room)}/state/m.room.member/${escaped(bob.userId)}`;
      await expectBlocked(alice.http.request('PUT', `${V3}${member}`, { body: { membership: 'invite' } }));
      await expectBlocked(post('/createRoom', { invite: [bob.userId] }));
      await expectBlocked(post('/createRoom', { preset: 'trusted_private_chat', invite: [bob.userId] }));
      expect((await receiveInvite()).answer).to.deep.include({ errcode: 'M_INVITE_BLOCKED', status: 403 });
      expect(await told(room)).to.deep.equal([]);
      expect((await alice.get(`/rooms/${escaped(room)}/members`)).chunk).to.have.length(1);
      await bob.act('join', room);
      expect(await told(room), 'who comes in by themselves').to.deep.equal(['join', 'old']);
    });

  it('are refused where they would answer a knock', async () => {
    const room = await alice.room({
      initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }],
    });
    await bob.post(`/knock/${escaped(room)}`);
    await set(STABLE, { default_action: 'block' });
    await expectBlocked(invite(room));
    await set(STABLE, {});
    await expectOk(invite(room));
    expect(await told(room)).to.deep.equal(['invite', 'old', 'notified']);
  });

  it('are taken as any other where nothing says no', async () => {
    for (const [type, content] of [
      [STABLE, { default_action: 'allow' }],
      [FILTER, { enabled: false, blocked_users: ['*'] }],
      [FILTER, { blocked_servers: ['*'], allowed_users: [alice.userId] }],
    ] as const) {
      await set(type, content);
      const room = await alice.room();
      await expectOk(invite(room));
      expect(await told(room)).to.deep.equal(['invite', 'old', 'notified']);
    }
  });

  for (const [type, content] of [
    [FILTER, { ignored_users: ['@alice:*', REMOTE] }],
    [FILTER, { ignored_servers: ['*'] }],
    [IGNORED, { ignored_users: { '@alice:example.org': {}, [REMOTE]: {} } }],
  ] as const)
    it(`are accepted and never told of when they are ignored: ${JSON.stringify(content)}`, async () => {
      await set(type, content);
      const room = await alice.room();
      const { next_batch: since } = await bob.sync();
      await expectOk(invite(room));
      expect(await told(room)).to.deep.equal([]);
      const foreign = await receiveInvite();
      expect(foreign.answer.kind).to.equal('sent');
      expect(await told(foreign.roomId)).to.deep.equal([]);
      expect((await bob.sync({ since })).rooms, 'incrementally').to.equal(undefined);
      const members: readonly Answer[] = (await alice.get(`/rooms/${escaped(room)}/members`)).chunk;
      expect(members.map((event) => event.content.membership)).to.have.members(['join', 'invite']);
      // Who is not told of an invite is not told that it was taken back, either; whether it came in this answer or before.
      const { next_batch: later } = await bob.sync();
      await alice.act('kick', room, bob);
      for (const from of [since, later])
        expect((await bob.sync({ since: from })).rooms?.leave?.[room], 'the end of it').to.equal(undefined);
    });

  it('that came before are hidden while they are not wanted, and shown to who asks anew when they are', async () => {
    const room = await alice.room();
    await expectOk(invite(room));
    const shown = ['invite', 'old', 'notified'];
    expect(await told(room)).to.deep.equal(shown);
    for (const [type, content] of [
      [STABLE, { default_action: 'block' }],
      [FILTER, { ignored_users: [alice.userId] }],
      [FILTER, { blocked_users: [alice.userId] }],
    ] as const) {
      await set(type, content);
      expect(await told(room)).to.deep.equal(['notified']);
      await set(type, {});
      expect(await told(room)).to.deep.equal(shown);
    }
    await set(IGNORED, { ignored_users: { [alice.userId]: {} } });
    expect(await told(room), 'of ignored users').to.deep.equal([]);
  });

  it('that are wanted end as always', async () => {
    const room = await alice.room();
    await expectOk(invite(room));
    const { next_batch: since } = await bob.sync();
    await alice.act('kick', room, bob);
    expect((await bob.sync({ since })).rooms.leave).to.have.all.keys(room);
  });
});
