import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AutojoinRoomsMixin,
  AutojoinUpgradedRoomsMixin,
  LogService,
  MatrixAuth,
  MatrixClient,
  PowerLevelAction,
  RichReply,
  SimpleFsStorageProvider,
} from '@vector-im/matrix-bot-sdk';
import { expect } from 'chai';
import type { JsonObject } from '../../src/kit/json.ts';
import { type HttpClient, pathOf } from '../support/http-client.ts';
import { type InProcessProgram, startInProcess } from '../support/in-process-program.ts';
import {
  clientOfUrl,
  eventually,
  okBody,
  type Person,
  register,
  type SeenEvent,
  textOf,
} from '../support/person.ts';
import { plainPicture } from '../src/media/pictures.ts';

const STORY_TIMEOUT_MS = 60_000;
const BOT = '@bot:localhost';

const silent = () => undefined;
LogService.setLogger({ trace: silent, debug: silent, info: silent, warn: silent, error: silent });

/** A message as the package hands it to its listeners. */
interface Heard {
  readonly event_id: string;
  readonly sender: string;
  readonly content: { readonly body?: string };
}

describe('a day of a bot', function () {
  this.timeout(STORY_TIMEOUT_MS);
  const folder = mkdtempSync(join(tmpdir(), 'troupe-bot-'));
  let server: InProcessProgram;
  let url: string;
  let connection: HttpClient;
  let ann: Person;
  let bot: MatrixClient;
  let room: string;
  /** Every message that reached the bot, from whichever of its lives. */
  const heard: string[] = [];

  /** The bot as it is started each time: its token of yesterday, its place in the stream from its file. */
  const startBot = async (token: string): Promise<MatrixClient> => {
    const client = new MatrixClient(url, token, new SimpleFsStorageProvider(join(folder, 'bot.json')));
    AutojoinRoomsMixin.setupOnClient(client);
    AutojoinUpgradedRoomsMixin.setupOnClient(client);
    client.on('room.message', (roomId: string, event: Heard) => {
      const { body = '' } = event.content;
      if (event.sender === BOT) return;
      heard.push(body);
      if (body === '!ping') void answer(client, roomId, event);
    });
    await client.start({ room: { timeline: { limit: 50 } } });
    return client;
  };
  const answer = async (client: MatrixClient, roomId: string, event: Heard): Promise<void> => {
    await client.setTyping(roomId, true, 5000);
    await client.sendReadReceipt(roomId, event.event_id);
    const reply = RichReply.createFor(roomId, event, 'pong', '<b>pong</b>');
    await client.sendMessage(roomId, { ...reply, msgtype: 'm.notice' });
    await client.setTyping(roomId, false);
  };
  const state = async (roomId: string, type: string, key = ''): Promise<JsonObject> =>
    okBody(await ann.http.get(pathOf`/_matrix/client/v3/rooms/${roomId}/state/${type}/${key}`), type);
  const statusOf = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => 'accepted',
      (error: { statusCode?: number; body?: { errcode?: string } }) =>
        `${error.statusCode} ${error.body?.errcode}`,
    );

  before(async () => {
    server = await startInProcess({ gateways: 2, environment: { TROUPE_MEDIA_ALLOW_LEGACY: 'true' } });
    url = `http://${server.address.host}:${server.address.port}`;
    connection = clientOfUrl(url);
    ann = await register(connection, 'ann');
  });
  after(async () => {
    bot?.stop();
    connection?.close();
    await server?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  it('registers, logs in, and asks the server who both are', async () => {
    const auth = new MatrixAuth(url);
    const first = await auth.passwordRegister('bot', 'beep boop beep', 'first start');
    expect(await first.getWhoAmI()).to.deep.include({ user_id: BOT, is_guest: false });
    const { accessToken } = await auth.passwordLogin('bot', 'beep boop beep', 'second start');
    bot = await startBot(accessToken);
    expect(await bot.doesServerSupportVersion('v1.11')).to.equal(true);
    expect((await bot.getOwnDevices()).map((device) => device.display_name)).to.have.members([
      'first start',
      'second start',
    ]);
    expect(await bot.getJoinedRooms()).to.deep.equal([]);
  });

  it('has a name, a face, a presence and a memory', async () => {
    const picture = await plainPicture(64, 64, 'png');
    const face = await bot.uploadContent(picture, 'image/png', 'face.png');
    await bot.setDisplayName('Botty');
    await bot.setAvatarUrl(face);
    expect(await bot.getUserProfile(BOT)).to.deep.include({ displayname: 'Botty', avatar_url: face });
    const { data, contentType } = await bot.downloadContent(face);
    expect(contentType).to.equal('image/png');
    expect(data.equals(picture)).to.equal(true);
    const thumbnail = await fetch(bot.mxcToHttpThumbnail(face, 32, 32, 'crop'));
    expect(thumbnail.status).to.equal(200);
    await bot.setPresenceStatus('unavailable', 'thinking');
    const { state: presence, statusMessage } = await bot.getPresenceStatus();
    expect([presence, statusMessage]).to.deep.equal(['unavailable', 'thinking']);
    expect(await bot.getSafeAccountData('org.example.memory', { fallback: true })).to.deep.equal({
      fallback: true,
    });
    await bot.setAccountData('org.example.memory', { answers: 0 });
    expect(await bot.getSafeAccountData('org.example.memory')).to.deep.equal({ answers: 0 });
    expect((await bot.getOpenIDConnectToken()).matrix_server_name).to.equal('localhost');
  });

  it('joins a direct chat by itself, and knows it for one', async () => {
    const direct = await ann.createRoom({ preset: 'trusted_private_chat', is_direct: true, invite: [BOT] });
    await eventually('the bot to join', async () => (await bot.getJoinedRooms()).includes(direct));
    await eventually('the bot to know', () => bot.dms.isDm(direct));
    // The package knows it before it has stored it.
    await eventually('the bot to store it', async () => (await bot.getSafeAccountData('m.direct')) !== null);
    expect(await bot.getAccountData('m.direct')).to.deep.equal({ [ann.userId]: [direct] });
    expect(await bot.dms.getOrCreateDm(ann.userId)).to.equal(direct);
  });

  it('answers commands with rich replies', async () => {
    room = await ann.createRoom({
      preset: 'public_chat',
      name: 'Workshop',
      room_alias_name: 'workshop',
      invite: [BOT],
    });
    await eventually('the bot to join', async () => (await bot.getJoinedRooms()).includes(room));
    const { next_batch: since } = await ann.sync();
    const asked = await ann.send(room, 'ping', '!ping');
    const seen = new Set<string>();
    let reply: SeenEvent | undefined;
    let from = since;
    await eventually('the answer', async () => {
      const synced = await ann.sync(from, 5000);
      from = synced.next_batch;
      const joined = synced.rooms?.join?.[room];
      for (const { type } of joined?.ephemeral?.events ?? []) seen.add(type);
      reply ??= joined?.timeline?.events.find((event) => event.sender === BOT);
      return reply !== undefined && seen.has('m.receipt') && seen.has('m.typing');
    });
    expect(reply?.content).to.deep.include({
      msgtype: 'm.notice',
      body: `> <${ann.userId}> !ping\n\npong`,
      'm.relates_to': { 'm.in_reply_to': { event_id: asked } },
    });
    const related = await bot.unstableApis.addReactionToEvent(room, asked, '👀');
    const { chunk } = await bot.getRelationsForEvent(room, asked, 'm.annotation', 'm.reaction');
    expect(chunk.map((event: { event_id: string }) => event.event_id)).to.deep.equal([related]);
    const context = await bot.getEventContext(room, asked, 2);
    expect(context.event.eventId).to.equal(asked);
    expect((await bot.getEventNearestToTimestamp(room, 0, 'f')).event_id).to.match(/^\$/);
  });

  it('reads rooms: state, members, power', async () => {
    expect((await bot.getJoinedRoomMembers(room)).toSorted()).to.deep.equal([ann.userId, BOT]);
    expect((await bot.getJoinedRoomMembersWithProfiles(room))[BOT]).to.include({ display_name: 'Botty' });
    const members = await bot.getRoomMembersByMembership(room, 'join');
    expect(members.map(({ membershipFor }) => membershipFor)).to.have.members([ann.userId, BOT]);
    expect(await bot.getRoomMembersWithoutMembership(room, 'join')).to.deep.equal([]);
    expect((await bot.getRoomStateEvent(room, 'm.room.name', '')).name).to.equal('Workshop');
    expect(await statusOf(bot.getRoomStateEvent(room, 'm.room.avatar', ''))).to.equal('404 M_NOT_FOUND');
    const types = (await bot.getRoomState(room)).map((event: { type: string }) => event.type);
    expect(types).to.include.members(['m.room.create', 'm.room.power_levels', 'm.room.join_rules']);
    expect(await bot.resolveRoom('#workshop:localhost')).to.equal(room);
    expect(await bot.getPublishedAlias(room)).to.equal('#workshop:localhost');
    expect(await bot.unstableApis.getRoomAliases(room)).to.deep.equal(['#workshop:localhost']);
    expect(await bot.userHasPowerLevelFor(BOT, room, 'm.room.topic', true)).to.equal(false);
    expect(await statusOf(bot.sendStateEvent(room, 'm.room.topic', '', { topic: 'mine' }))).to.equal(
      '403 M_FORBIDDEN',
    );
  });

  it('moderates once it may', async () => {
    const levels = await state(room, 'm.room.power_levels');
    const users = { ...(levels['users'] as JsonObject), [BOT]: 60 };
    const path = pathOf`/_matrix/client/v3/rooms/${room}/state/m.room.power_levels/`;
    okBody(await ann.http.put(path, { ...levels, users }), 'power levels');
    expect(await bot.userHasPowerLevelForAction(BOT, room, PowerLevelAction.Kick)).to.equal(true);
    const eve = await register(connection, 'eve');
    await eve.join(room);
    const rude = await eve.send(room, 'rude', 'buy my coins');
    await bot.redactEvent(room, rude, 'spam');
    expect((await bot.getEvent(room, rude)).content).to.deep.equal({});
    await bot.kickUser(eve.userId, room, 'no coins');
    await bot.banUser(eve.userId, room, 'no coins at all');
    expect(
      (await bot.getRoomMembersByMembership(room, 'ban')).map(({ membershipFor }) => membershipFor),
    ).to.deep.equal([eve.userId]);
    await bot.unbanUser(eve.userId, room);
    await bot.inviteUser(eve.userId, room);
    await bot.sendStateEvent(room, 'm.room.topic', '', { topic: 'tidy' });
    expect(await state(room, 'm.room.topic')).to.deep.include({ topic: 'tidy' });
  });

  it('makes rooms and spaces, and leaves them', async () => {
    const lab = await bot.createRoom({ preset: 'public_chat', name: 'Lab', topic: 'tests' });
    await bot.createRoomAlias('#lab:localhost', lab);
    await bot.setDirectoryVisibility(lab, 'public');
    expect(await bot.getDirectoryVisibility(lab)).to.equal('public');
    await bot.deleteRoomAlias('#lab:localhost');
    // The package names itself in the power levels, which rooms of version 12 do not take of their creator.
    expect(await statusOf(bot.createSpace({ name: 'Bench', isPublic: true }))).to.equal(
      '400 M_INVALID_ROOM_STATE',
    );
    const space = await bot.getSpace(
      await bot.createRoom({ name: 'Bench', creation_content: { type: 'm.space' } }),
    );
    await space.addChildRoom(lab, { suggested: true });
    expect(Object.keys(await space.getChildEntities())).to.deep.equal([lab]);
    await space.removeChildRoom(lab);
    expect(await space.getChildEntities()).to.deep.equal({});
    const left = new Promise((resolve) => bot.once('room.leave', resolve));
    await bot.leaveRoom(lab, 'done');
    expect(await left).to.equal(lab);
    await bot.forgetRoom(lab);
    expect(await bot.getJoinedRooms()).to.not.include(lab);
  });

  it('follows a room that is upgraded', async () => {
    const followed = new Promise((resolve) => bot.on('room.join', resolve));
    const answered = await ann.http.post(pathOf`/_matrix/client/v3/rooms/${room}/upgrade`, {
      new_version: '11',
    });
    const next = textOf(okBody(answered, 'upgrade'), 'replacement_room');
    expect(await followed).to.equal(next);
    const { previous, newer, current } = await bot.getRoomUpgradeHistory(next);
    expect(previous.map(({ roomId, version }) => [roomId, version])).to.deep.equal([[room, '12']]);
    expect(newer).to.deep.equal([]);
    expect(current.version).to.equal('11');
    room = next;
  });

  it('sleeps, and hears afterwards what was said meanwhile, once', async () => {
    await ann.send(room, 'evening', 'good night');
    await eventually('the bot to hear', () => heard.includes('good night'));
    bot.stop();
    // What ends the poll that the package leaves behind.
    await ann.send(room, 'ends-poll', 'sleep well');
    await eventually('the last poll', () => heard.includes('sleep well'));
    await ann.send(room, 'meanwhile', 'did you see that');
    bot = await startBot(bot.accessToken);
    await eventually('the bot to catch up', () => heard.includes('did you see that'));
    await ann.send(room, 'again', '!ping');
    await eventually('the answer', async () =>
      (await ann.readAll(room)).some((text) => text.endsWith('pong')),
    );
    const evening = ['good night', 'sleep well', 'did you see that', '!ping'];
    expect(heard).to.deep.equal(['!ping', 'buy my coins', ...evening]);
  });
});
