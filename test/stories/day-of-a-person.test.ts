import { expect } from 'chai';
import {
  EventType,
  type MatrixClient,
  type MatrixEvent,
  Method,
  MsgType,
  NotificationCountType,
  Preset,
  PushRuleKind,
  ReceiptType,
  RelationType,
  type Room,
  RoomType,
  SetPresence,
  Visibility,
} from 'matrix-js-sdk';
import { eventually as eventuallyTrue } from '../support/person.ts';
import { clientOf, eventually, logIn, register, textsOf } from '../support/sdk-client.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';
import { plainPicture } from '../src/media/pictures.ts';

const STORY_TIMEOUT_MS = 90_000;
const ANN = '@ann:localhost';
const BOB = '@bob:localhost';
const CLEO = '@cleo:localhost';
const POLL = 'org.matrix.msc3381.poll';

describe('a day of a person', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let server: TroupeProcess;
  let ann: MatrixClient;
  let bob: MatrixClient;
  let cleo: MatrixClient;
  let tablet: MatrixClient | undefined;
  let direct: string;
  let space: string;
  let hall: string;
  let den: string;
  let attic: string;
  let face: string;
  /** What the first device has done and the second must find. */
  const found = { pinned: '', threadRoot: '' };

  const roomOf = (client: MatrixClient, id: string): Room => {
    const room = client.getRoom(id);
    if (room === null) throw new Error(`${client.getUserId()} does not know ${id}`);
    return room;
  };
  const joined = (client: MatrixClient, id: string): Promise<unknown> =>
    eventually(client, `being in ${id}`, () => client.getRoom(id)?.getMyMembership() === 'join');
  /** The event as a client has it from the server, once it has. */
  const seen = (client: MatrixClient, roomId: string, eventId: string): Promise<MatrixEvent> =>
    eventually(client, `event ${eventId}`, () => {
      const event = client.getRoom(roomId)?.findEventById(eventId);
      return event !== undefined && !event.isSending() && event;
    });
  const stateOf = (client: MatrixClient, roomId: string, type: string) =>
    roomOf(client, roomId).currentState.getStateEvents(type, '')?.getContent();
  const statusOf = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => 'accepted',
      (error: { httpStatus?: number; errcode?: string }) => `${error.httpStatus} ${error.errcode}`,
    );
  const text = (body: string, rest: object = {}) => ({ msgtype: MsgType.Text as const, body, ...rest });
  const mentioning = (body: string) => text(body, { 'm.mentions': { user_ids: [ANN] } });
  const start = (client: MatrixClient) => client.startClient({ threadSupport: true, initialSyncLimit: 20 });
  const highlights = (client: MatrixClient) =>
    roomOf(client, hall).getRoomUnreadNotificationCount(NotificationCountType.Highlight);

  before(async () => {
    server = await startTroupe({ gateways: 2 });
    const { url, firstToken } = server;
    ann = clientOf(url, await register(url, 'ann', 'ann has a secret', firstToken ?? ''));
    bob = clientOf(url, await register(url, 'bob', 'bob has another'));
    cleo = clientOf(url, await register(url, 'cleo', 'cleo has a third'));
    for (const client of [ann, bob, cleo]) await start(client);
  });
  after(async () => {
    for (const client of [ann, bob, cleo, tablet]) client?.stopClient();
    await server?.dispose();
  });

  it('ann says who she is', async () => {
    const picture = new Blob([new Uint8Array(await plainPicture(96, 96, 'png'))]);
    ({ content_uri: face } = await ann.uploadContent(picture, { name: 'ann.png', type: 'image/png' }));
    await ann.setDisplayName('Ann');
    await ann.setAvatarUrl(face);
    expect(await ann.doesServerSupportExtendedProfiles()).to.equal(true);
    await ann.setExtendedProfileProperty('m.tz', 'Europe/Berlin');
    await ann.setExtendedProfileProperty('org.example.pronouns', ['she', 'her']);
    await ann.setExtendedProfileProperty('org.example.mood', 'fine');
    await ann.deleteExtendedProfileProperty('org.example.mood');
    expect(await bob.getExtendedProfile(ANN)).to.deep.equal({
      displayname: 'Ann',
      avatar_url: face,
      'm.tz': 'Europe/Berlin',
      'org.example.pronouns': ['she', 'her'],
    });
    expect(await bob.getExtendedProfileProperty(ANN, 'org.example.mood')).to.equal(undefined);
  });

  it('she talks to bob alone', async () => {
    ({ room_id: direct } = await ann.createRoom({
      preset: Preset.TrustedPrivateChat,
      is_direct: true,
      invite: [BOB],
    }));
    await ann.setAccountData(EventType.Direct, { [BOB]: [direct] });
    await eventually(bob, 'the invite', () => bob.getRoom(direct)?.getMyMembership() === 'invite');
    expect(roomOf(bob, direct).getDMInviter()).to.equal(ANN);
    await bob.joinRoom(direct);
    await joined(bob, direct);
    expect(roomOf(bob, direct).name).to.equal('Ann');
    expect(roomOf(bob, direct).getMember(ANN)?.getMxcAvatarUrl()).to.equal(face);
    await bob.setRoomName(direct, 'Us');
    await eventually(ann, 'the name', () => roomOf(ann, direct).name === 'Us');
  });

  it('she makes a club: a space with a hall for all, a den for members, an attic for who knocks', async () => {
    const rule = (content: object) => ({ type: 'm.room.join_rules', state_key: '', content });
    ({ room_id: space } = await ann.createRoom({
      name: 'Club',
      preset: Preset.PublicChat,
      visibility: Visibility.Public,
      room_alias_name: 'club',
      creation_content: { type: RoomType.Space },
    }));
    ({ room_id: hall } = await ann.createRoom({ name: 'Hall', preset: Preset.PublicChat }));
    const allow = [{ type: 'm.room_membership', room_id: space }];
    ({ room_id: den } = await ann.createRoom({
      name: 'Den',
      initial_state: [rule({ join_rule: 'restricted', allow })],
    }));
    ({ room_id: attic } = await ann.createRoom({
      name: 'Attic',
      initial_state: [rule({ join_rule: 'knock' })],
    }));
    for (const [order, child] of [hall, den, attic].entries())
      await ann.sendStateEvent(space, EventType.SpaceChild, { via: ['localhost'], order: `${order}` }, child);

    const { chunk } = await bob.publicRooms({ filter: { generic_search_term: 'club' } });
    expect(chunk.map((room) => [room.canonical_alias, room.room_type])).to.deep.equal([
      ['#club:localhost', 'm.space'],
    ]);
    expect(await statusOf(bob.joinRoom(den))).to.equal('403 M_FORBIDDEN');
    await bob.joinRoom('#club:localhost');
    await bob.joinRoom(den);
    const { rooms } = await bob.getRoomHierarchy(space);
    expect(rooms.map((room) => [room.name, room.join_rule])).to.deep.equal([
      ['Club', 'public'],
      ['Hall', 'public'],
      ['Den', 'restricted'],
      ['Attic', 'knock'],
    ]);
    for (const client of [bob, cleo]) await client.joinRoom(hall);
    await cleo.knockRoom(attic, { reason: 'I have a lamp' });
    await eventually(ann, 'the knock', () => roomOf(ann, attic).getMember(CLEO)?.membership === 'knock');
    expect(roomOf(ann, attic).getMember(CLEO)?.events.member?.getContent()['reason']).to.equal(
      'I have a lamp',
    );
    await ann.invite(attic, CLEO);
    await eventually(cleo, 'the invite', () => cleo.getRoom(attic)?.getMyMembership() === 'invite');
    await cleo.joinRoom(attic);
    for (const id of [space, hall, den]) await joined(bob, id);
    for (const id of [hall, attic]) await joined(cleo, id);
  });

  it('she shows a picture; they reply, vote, say where they are, and pin it', async () => {
    const picture = await plainPicture(640, 480, 'jpeg');
    const { content_uri: url } = await ann.uploadContent(new Blob([new Uint8Array(picture)]), {
      name: 'lake.jpg',
      type: 'image/jpeg',
    });
    const info = { mimetype: 'image/jpeg', w: 640, h: 480, size: picture.length };
    const shown = await ann.sendMessage(hall, { msgtype: MsgType.Image, body: 'lake.jpg', url, info });
    const image = (await seen(bob, hall, shown.event_id)).getContent();
    const headers = { Authorization: `Bearer ${bob.getAccessToken()}` };
    const get = (...size: [] | [number, number, string]) =>
      fetch(bob.mxcUrlToHttp(image['url'], size[0], size[1], size[2], false, true, true) ?? '', { headers });
    const whole = await get();
    expect(Buffer.from(await whole.arrayBuffer()).equals(picture)).to.equal(true);
    const small = await get(320, 240, 'scale');
    expect([small.status, small.headers.get('content-type')]).to.deep.equal([200, 'image/jpeg']);

    const inReplyTo = { 'm.relates_to': { 'm.in_reply_to': { event_id: shown.event_id } } };
    const replied = await bob.sendMessage(hall, text('can one swim there?', inReplyTo));
    expect((await seen(ann, hall, replied.event_id)).replyEventId).to.equal(shown.event_id);
    await cleo.sendEmoteMessage(hall, 'packs her towel');

    const send = (client: MatrixClient, type: string, content: object): Promise<{ event_id: string }> =>
      client.sendEvent(hall, type as never, content as never);
    const answers = ['today', 'tomorrow'].map((id) => ({ id, 'org.matrix.msc1767.text': id }));
    const poll = await send(ann, `${POLL}.start`, {
      [`${POLL}.start`]: {
        question: { 'org.matrix.msc1767.text': 'When?' },
        kind: `${POLL}.disclosed`,
        answers,
      },
      'org.matrix.msc1767.text': 'When? today, tomorrow',
    });
    const reference = { 'm.relates_to': { rel_type: 'm.reference', event_id: poll.event_id } };
    for (const [client, choice] of [
      [bob, 'today'],
      [cleo, 'tomorrow'],
      [cleo, 'today'],
    ] as const)
      await send(client, `${POLL}.response`, { ...reference, [`${POLL}.response`]: { answers: [choice] } });
    await send(ann, `${POLL}.end`, { ...reference, [`${POLL}.end`]: {}, 'org.matrix.msc1767.text': 'today' });
    const { events } = await bob.relations(hall, poll.event_id, RelationType.Reference, `${POLL}.response`);
    expect(events.map((event) => event.getSender())).to.deep.equal([CLEO, CLEO, BOB]);

    const place = await bob.sendMessage(hall, {
      msgtype: MsgType.Location,
      body: 'the lake',
      geo_uri: 'geo:52.43,13.17;u=20',
    } as never);
    found.pinned = place.event_id;
    await ann.sendStateEvent(hall, EventType.RoomPinnedEvents, { pinned: [found.pinned] }, '');
    await eventually(
      bob,
      'the pin',
      () => stateOf(bob, hall, 'm.room.pinned_events')?.['pinned'][0] === found.pinned,
    );
  });

  it('she is called by name, and reads in private and thread by thread', async () => {
    const root = await ann.sendMessage(hall, text('who drives?'));
    found.threadRoot = root.event_id;
    await seen(bob, hall, root.event_id);
    const called = await bob.sendMessage(hall, mentioning('Ann, do you?'));
    await eventually(ann, 'the highlight', () => highlights(ann) === 1);
    const last = await seen(ann, hall, called.event_id);
    await seen(bob, hall, called.event_id);
    await ann.sendReadReceipt(last, ReceiptType.ReadPrivate);
    await eventually(ann, 'no highlight', () => highlights(ann) === 0);
    // Without the package's echo, which it loses when a thread that it has begun itself comes back before the answer.
    const { event_id: replyId } = await bob.http.authedRequest<{ event_id: string }>(
      Method.Put,
      `/rooms/${encodeURIComponent(hall)}/send/m.room.message/in-thread`,
      undefined,
      {
        ...mentioning('Ann, you have a car'),
        'm.relates_to': { rel_type: RelationType.Thread, event_id: root.event_id },
      },
    );
    const inThread = () =>
      roomOf(ann, hall).getThreadUnreadNotificationCount(root.event_id, NotificationCountType.Highlight);
    await eventually(ann, 'the highlight in the thread', () => inThread() === 1);
    expect(highlights(ann)).to.equal(0);
    const threadOf = (client: MatrixClient) => roomOf(client, hall).getThread(root.event_id);
    const reply = await eventually(ann, 'the reply', () => threadOf(ann)?.findEventById(replyId));
    await ann.sendReadReceipt(reply, ReceiptType.Read);
    await eventually(ann, 'no highlight in the thread', () => inThread() === 0);
    await eventually(cleo, 'her receipt', () => threadOf(cleo)?.getUsersReadUpTo(reply).includes(ANN));
    expect(roomOf(cleo, hall).getEventReadUpTo(ANN, true)).to.not.equal(called.event_id);
  });

  it('she says what she wants to be told of, and reads the list of it', async () => {
    await ann.addPushRule('global', PushRuleKind.ContentSpecific, 'kettle', {
      pattern: 'kettle',
      actions: ['notify', { set_tweak: 'highlight' }] as never,
    });
    await ann.setRoomMutePushRule('global', den, true);
    await eventually(ann, 'the rules', () =>
      ann.pushRules?.global.content?.some((rule) => rule.rule_id === 'kettle'),
    );
    const { event_id: kettle } = await bob.sendMessage(hall, text('bring the kettle'));
    await bob.sendMessage(den, text('psst'));
    await eventually(ann, 'the highlight', () => highlights(ann) === 1);
    const listed = async () => {
      const { notifications } = await ann.http.authedRequest<{
        notifications: { event: { event_id: string } }[];
      }>(Method.Get, '/notifications', { limit: 5, only: 'highlight' });
      return notifications.map(({ event }) => event.event_id);
    };
    // Counts are told with the event, the list is written behind it.
    await eventuallyTrue('the list to have it', async () => (await listed())[0] === kettle);
    expect(await listed()).to.have.length(3);
    await seen(ann, den, (await bob.sendMessage(den, text('nobody hears me'))).event_id);
    expect(roomOf(ann, den).getUnreadNotificationCount(NotificationCountType.Total)).to.equal(0);
  });

  it('she sees who is there, ignores one, reports, and shares her power', async () => {
    await bob.setPresence({ presence: SetPresence.Unavailable, status_msg: 'at lunch' });
    await eventually(ann, 'his presence', () => ann.getUser(BOB)?.presenceStatusMsg === 'at lunch');
    expect(ann.getUser(BOB)?.presence).to.equal('unavailable');
    await ann.setIgnoredUsers([CLEO]);
    await eventually(ann, 'the ignored', () => ann.isUserIgnored(CLEO));
    const { event_id: loud } = await cleo.sendMessage(hall, text('BUY MY LAMP'));
    await seen(bob, hall, loud);
    await bob.reportEvent(hall, loud, -100, 'lamps');
    await bob.reportRoom(hall, 'full of lamps');
    const { event_id: quiet } = await bob.sendMessage(hall, text('quiet again'));
    await seen(ann, hall, quiet);
    expect(textsOf(roomOf(ann, hall))).to.not.include('BUY MY LAMP');
    expect(await statusOf(bob.setRoomTopic(hall, 'towels'))).to.equal('403 M_FORBIDDEN');
    await ann.setPowerLevel(hall, BOB, 50);
    await eventually(bob, 'his power', () => roomOf(bob, hall).getMember(BOB)?.powerLevel === 50);
    await bob.setRoomTopic(hall, 'towels');
    await ann.setRoomTag(hall, 'm.favourite', { order: 0.25 });
    await eventually(ann, 'the topic', () => stateOf(ann, hall, 'm.room.topic')?.['topic'] === 'towels');
    // What she has sent herself has set her count back.
    await bob.sendMessage(hall, text('the kettle is here'));
    await eventually(ann, 'the highlight', () => highlights(ann) === 1);
  });

  it('the server is started again: her phone goes on, her tablet has it all', async () => {
    const sessions = [ann, bob, cleo].map((client) => ({
      userId: client.getSafeUserId(),
      deviceId: client.getDeviceId() ?? '',
      accessToken: client.getAccessToken() ?? '',
    }));
    for (const client of [ann, bob, cleo]) client.stopClient();
    expect(await server.stop(), server.output()).to.equal(0);
    server = await startTroupe({ gateways: 2, folder: server.folder });
    const again = sessions.map((session) => clientOf(server.url, session));
    [ann, bob, cleo] = again as [MatrixClient, MatrixClient, MatrixClient];
    const second = clientOf(server.url, await logIn(server.url, 'ann', 'ann has a secret'));
    tablet = second;
    for (const client of [ann, bob, cleo, second]) await start(client);
    for (const client of [ann, second]) {
      for (const id of [direct, space, hall, den, attic]) await joined(client, id);
      const room = roomOf(client, hall);
      expect(textsOf(room).at(-1)).to.equal('the kettle is here');
      expect(textsOf(room)).to.not.include('BUY MY LAMP');
      expect(stateOf(client, hall, 'm.room.pinned_events')).to.deep.equal({ pinned: [found.pinned] });
      expect(room.tags['m.favourite']?.order).to.equal(0.25);
      expect(
        room.getThreadUnreadNotificationCount(found.threadRoot, NotificationCountType.Highlight),
      ).to.equal(0);
      expect(highlights(client)).to.equal(1);
      expect(client.getAccountData(EventType.Direct)?.getContent()).to.deep.equal({ [BOB]: [direct] });
      expect(client.isUserIgnored(CLEO)).to.equal(true);
      expect(client.getRoomPushRule('global', den)?.actions).to.not.include('notify');
      expect(client.pushRules?.global.content?.map((rule) => rule.rule_id)).to.include('kettle');
    }
    expect((await second.getExtendedProfile(ANN))['m.tz']).to.equal('Europe/Berlin');
    const { devices } = await second.getDevices();
    expect(devices).to.have.length(2);
    await second.sendMessage(direct, text('from my tablet'));
    await eventually(bob, 'her message', () => textsOf(roomOf(bob, direct)).includes('from my tablet'));
  });

  it('she logs out everywhere; bob leaves for good', async () => {
    await ann.http.authedRequest(Method.Post, '/logout/all', undefined, {});
    for (const client of [ann, tablet]) {
      client?.stopClient();
      expect(await statusOf(client?.whoami() ?? Promise.resolve())).to.equal('401 M_UNKNOWN_TOKEN');
    }
    const identifier = { type: 'm.id.user', user: 'bob' };
    const challenge = await bob.deactivateAccount().then(
      () => ({ session: '' }),
      (error: { data: { session: string } }) => error.data,
    );
    const password = { type: 'm.login.password', identifier, password: 'bob has another' };
    await bob.deactivateAccount({ ...password, session: challenge.session }, true);
    bob.stopClient();
    await eventually(cleo, 'his leaving', () => roomOf(cleo, hall).getMember(BOB)?.membership === 'leave');
    expect(await statusOf(logIn(server.url, 'bob', 'bob has another'))).to.equal('403 M_USER_DEACTIVATED');
  });
});
