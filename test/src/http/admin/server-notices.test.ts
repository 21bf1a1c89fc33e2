import { expect } from 'chai';
import { isRefusal } from '../../../../src/matrix/refusal.ts';
import { pathOf } from '../../../support/http-client.ts';
import type { Answer, Person } from '../../sync/sync-world.ts';
import { type AdminWorld, openAdminWorld } from './admin-world.ts';

const SEND = '/_synapse/admin/v1/send_server_notice';
const NOTICES = '@notices:example.org';
const AVATAR = 'mxc://example.org/face';

describe('server notices', () => {
  let world: AdminWorld;
  let alice: Person;
  let people = 0;

  before(async () => {
    world = await openAdminWorld({
      TROUPE_SERVER_NOTICES_AVATAR_URL: AVATAR,
      TROUPE_SERVER_NOTICES_DISPLAY_NAME: 'The Server',
      TROUPE_SERVER_NOTICES_ROOM_NAME: 'From the server',
    });
  });
  after(() => world.stop());
  beforeEach(async () => {
    people += 1;
    alice = await world.person(`alice${people}`);
  });

  const notice = (body: string): object => ({
    user_id: alice.userId,
    content: {
      msgtype: 'm.server_notice',
      body,
      server_notice_type: 'm.server_notice.usage_limit_reached',
      admin_contact: 'mailto:admin@example.org',
      limit_type: 'monthly_active_user',
    },
  });
  const send = (body: string): Promise<Answer> => world.ask('POST', SEND, notice(body));
  const outcome = async (person: Person, method: 'POST' | 'PUT', path: string, body: object) => {
    const answer = await person.http.request(method, path, { body });
    return `${answer.status} ${String((answer.body as Answer)?.errcode ?? '')}`.trim();
  };
  const invites = async (): Promise<string[]> => Object.keys((await alice.sync()).rooms?.invite ?? {});

  it('reach a user in a room of their own, which clients can tell from others', async () => {
    const { event_id: eventId } = await send('You have been busy');
    const sync = await alice.sync();
    const [[roomId, room]] = Object.entries<Answer>(sync.rooms.invite) as [[string, Answer]];
    const stripped = (type: string): Answer =>
      room.invite_state.events.find((event: Answer) => event.type === type)?.content;
    expect(stripped('m.room.name')).to.deep.equal({ name: 'From the server' });
    expect(stripped('m.room.avatar')).to.deep.equal({ url: AVATAR });
    expect(stripped('m.room.create')).to.include({ 'm.federate': false });
    expect((await alice.get(pathOf`/user/${alice.userId}/rooms/${roomId}/tags`)).tags).to.deep.equal({
      'm.server_notice': {},
    });
    await alice.act('join', roomId);
    const event = await alice.get(pathOf`/rooms/${roomId}/event/${eventId}`);
    expect(event).to.deep.include({ sender: NOTICES, type: 'm.room.message' });
    expect(event.content).to.deep.include({ msgtype: 'm.server_notice', body: 'You have been busy' });
    expect(await alice.get(pathOf`/profile/${NOTICES}`)).to.deep.include({
      displayname: 'The Server',
      avatar_url: AVATAR,
    });
    const said = { msgtype: 'm.text', body: 'but' };
    const back = pathOf`/_matrix/client/v3/rooms/${roomId}/send/m.room.message/1`;
    expect(await outcome(alice, 'PUT', back, said)).to.equal('403 M_FORBIDDEN');
  });

  it('all go into the same room, also when the first ones come at once', async () => {
    await Promise.all([send('one'), send('two'), send('three')]);
    expect(await invites()).to.have.lengthOf(1);
  });

  it('are sent once for each transaction', async () => {
    const first = await world.ask('PUT', `${SEND}/txn`, notice('once'));
    expect(await world.ask('PUT', `${SEND}/txn`, notice('twice'))).to.deep.equal(first);
    expect(await world.ask('PUT', `${SEND}/other`, notice('again'))).to.not.deep.equal(first);
    const bob = await world.person(`bob${people}`);
    const toBob = await world.ask('PUT', `${SEND}/txn`, { ...notice('you too'), user_id: bob.userId });
    expect(toBob).to.not.deep.equal(first);
  });

  it('may be any event, also of state', async () => {
    await send('hello');
    await world.ask('POST', SEND, {
      user_id: alice.userId,
      type: 'm.room.topic',
      state_key: '',
      content: { topic: 'news' },
    });
    const [roomId = ''] = await invites();
    await alice.act('join', roomId);
    expect(await alice.get(pathOf`/rooms/${roomId}/state/m.room.topic`)).to.deep.equal({ topic: 'news' });
  });

  it('cannot be kept away by rejecting the invite; who has been there may leave, and is called back', async () => {
    await send('hello');
    const [roomId = ''] = await invites();
    const room = pathOf`/_matrix/client/v3/rooms/${roomId}`;
    const refused = '403 M_CANNOT_LEAVE_SERVER_NOTICE_ROOM';
    expect(await outcome(alice, 'POST', `${room}/leave`, {})).to.equal(refused);
    const member = `${room}/state/m.room.member/${encodeURIComponent(alice.userId)}`;
    expect(await outcome(alice, 'PUT', member, { membership: 'leave' })).to.equal(refused);
    await alice.act('join', roomId);
    await alice.act('leave', roomId);
    await alice.act('forget', roomId);
    await send('come back');
    expect(await invites()).to.deep.equal([roomId]);
  });

  it('do not stand in the way of other invites, nor of leaving for good', async () => {
    const bob = await world.person(`bob${people}`);
    const other = await bob.room({ preset: 'private_chat', invite: [alice.userId] });
    await alice.act('leave', other);
    await send('hello');
    const [roomId = ''] = await invites();
    const gone = await world.host
      .ref('accounts')
      .ask('accounts.deactivate', { userId: alice.userId, erase: false });
    expect(isRefusal(gone)).to.equal(false);
    await world.host.idle();
    const members = await bob.http.get(pathOf`/_matrix/client/v3/rooms/${roomId}/members`);
    expect(members.status).to.equal(403);
    const answer = await world.admin.http.request('POST', SEND, { body: notice('too late') });
    expect([answer.status, (answer.body as Answer).errcode]).to.deep.equal([404, 'M_NOT_FOUND']);
  });

  it('are for administrators to send, and for users of this server to get', async () => {
    expect(await outcome(alice, 'POST', SEND, notice('hi'))).to.equal('403 M_FORBIDDEN');
    const to = (userId: string): Promise<string> =>
      outcome(world.admin, 'POST', SEND, { ...notice('hi'), user_id: userId });
    expect(await to('@nobody:example.org')).to.equal('404 M_NOT_FOUND');
    expect(await to('@bob:elsewhere.org')).to.equal('400 M_UNKNOWN');
    expect(await to(NOTICES)).to.equal('400 M_UNKNOWN');
  });

  it('come from a user whom nobody can be', async () => {
    await send('hello');
    const login = await world.host
      .ref('accounts')
      .ask('accounts.log-in', { userId: NOTICES, deviceId: null, initialDeviceDisplayName: null });
    expect(login).to.include({ kind: 'refused', errcode: 'M_FORBIDDEN' });
  });
});

describe('server notices that cannot be', () => {
  const sendFrom = async (
    options: Readonly<Record<string, string>>,
    before: (world: AdminWorld) => Promise<unknown>,
  ): Promise<string> => {
    const world = await openAdminWorld(options);
    try {
      await before(world);
      const body = { user_id: world.admin.userId, content: { msgtype: 'm.text', body: 'hi' } };
      const answer = await world.admin.http.request('POST', SEND, { body });
      return `${answer.status} ${(answer.body as Answer).errcode}`;
    } finally {
      await world.stop();
    }
  };

  it('are refused where they are switched off, and then the name is free', async () => {
    const outcome = await sendFrom({ TROUPE_SERVER_NOTICES_ENABLED: 'false' }, (world) =>
      world.person('notices'),
    );
    expect(outcome).to.equal('400 M_UNKNOWN');
  });

  it('do not speak with the voice of somebody who had the name before', async () => {
    const account = {
      userId: NOTICES,
      passwordHash: 'x',
      isAdmin: false,
      displayname: null,
      registrationToken: null,
      device: null,
    };
    const outcome = await sendFrom({}, async (world) => {
      const available = await world.admin.http.get('/_matrix/client/v3/register/available', {
        query: { username: 'Notices' },
      });
      expect((available.body as Answer).errcode).to.equal('M_USER_IN_USE');
      return world.host.ref('accounts').ask('accounts.register', account);
    });
    expect(outcome).to.equal('400 M_UNKNOWN');
  });
});
