import { expect } from 'chai';
import {
  Direction,
  EventType,
  type MatrixClient,
  type MatrixEvent,
  MsgType,
  Preset,
  ReceiptType,
  type Room,
  RoomMemberEvent,
  Visibility,
} from 'matrix-js-sdk';
import {
  anonymousClient,
  clientOf,
  eventually,
  logIn,
  register,
  startSyncing,
  textsOf,
} from '../support/sdk-client.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 120_000;

for (const gateways of [1, 2, 4]) {
  describe(`two people talk, ${gateways} gateway${gateways === 1 ? '' : 's'}`, function () {
    this.timeout(STORY_TIMEOUT_MS);
    let server: TroupeProcess;
    let ann: MatrixClient;
    let bob: MatrixClient;
    let roomId: string;

    const roomOf = (client: MatrixClient, id = roomId): Room => {
      const room = client.getRoom(id);
      if (room === null) throw new Error(`${client.getUserId()} does not know ${id}`);
      return room;
    };
    const statusOf = (promise: Promise<unknown>): Promise<unknown> =>
      promise.then(
        () => 'accepted',
        (error: { httpStatus?: number; errcode?: string }) => `${error.httpStatus} ${error.errcode}`,
      );

    before(async () => {
      server = await startTroupe({ gateways });
    });
    after(async () => {
      ann?.stopClient();
      bob?.stopClient();
      await server?.dispose();
    });

    it('they register, one with the first token and so as administrator', async () => {
      const token = server.firstToken ?? '';
      expect(token, server.output()).to.not.equal('');
      ann = clientOf(server.url, await register(server.url, 'ann', 'ann has a secret', token));
      bob = clientOf(server.url, await register(server.url, 'bob', 'bob has another'));
      expect(ann.getUserId()).to.equal('@ann:localhost');
      expect(await statusOf(register(server.url, 'ann', 'taken'))).to.equal('400 M_USER_IN_USE');
      expect((await ann.whoami()).device_id).to.equal('ann-phone');
      await startSyncing(ann);
      await startSyncing(bob);
    });

    it('the server says what it can do', async () => {
      const { versions } = await ann.getVersions();
      expect(versions).to.include('v1.1');
      const capabilities = await ann.getCapabilities();
      expect(capabilities['m.room_versions']?.default).to.equal('12');
      const rules = await ann.getPushRules();
      expect(rules.global.override?.map((rule) => rule.rule_id)).to.include('.m.rule.master');
    });

    it('names and avatars', async () => {
      await ann.setDisplayName('Ann');
      await ann.setAvatarUrl('mxc://localhost/ann');
      expect(await bob.getProfileInfo('@ann:localhost')).to.deep.include({
        displayname: 'Ann',
        avatar_url: 'mxc://localhost/ann',
      });
    });

    it('ann makes a room with a topic and an invite; bob joins', async () => {
      const made = await ann.createRoom({
        preset: Preset.PrivateChat,
        visibility: Visibility.Private,
        name: 'Stage',
        topic: 'rehearsal',
        invite: ['@bob:localhost'],
        initial_state: [
          { type: 'm.room.guest_access', state_key: '', content: { guest_access: 'forbidden' } },
        ],
      });
      roomId = made.room_id;
      await eventually(bob, 'the invite', () => bob.getRoom(roomId)?.getMyMembership() === 'invite');
      expect(roomOf(bob).name).to.equal('Stage');
      await bob.joinRoom(roomId);
      await eventually(bob, 'his join', () => roomOf(bob).getMyMembership() === 'join');
      const room = await eventually(ann, 'her seeing his join', () =>
        ann.getRoom(roomId)?.getMember('@bob:localhost')?.membership === 'join' ? roomOf(ann) : null,
      );
      expect(room.getVersion()).to.equal('12');
      expect(roomOf(bob).getMember('@ann:localhost')?.name).to.equal('Ann');
      expect(
        roomOf(bob).currentState.getStateEvents('m.room.guest_access', '')?.getContent()['guest_access'],
      ).to.equal('forbidden');
    });

    it('rooms of another version and preset', async () => {
      const { room_id: id } = await ann.createRoom({ room_version: '9', preset: Preset.PublicChat });
      await eventually(ann, 'the room', () => ann.getRoom(id)?.getMyMembership() === 'join');
      expect(roomOf(ann, id).getVersion()).to.equal('9');
      expect(roomOf(ann, id).getJoinRule()).to.equal('public');
      expect(await statusOf(ann.createRoom({ room_version: '999' }))).to.equal(
        '400 M_UNSUPPORTED_ROOM_VERSION',
      );
      await bob.joinRoom(id);
      await bob.leave(id);
      await eventually(bob, 'his leaving', () => bob.getRoom(id)?.getMyMembership() === 'leave');
    });

    it('they talk; a transaction id sends once', async () => {
      const first = await ann.sendEvent(
        roomId,
        null,
        EventType.RoomMessage,
        { msgtype: MsgType.Text, body: 'one' },
        'txn-1',
      );
      const again = await ann.http.authedRequest<{ event_id: string }>(
        'PUT' as never,
        `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/txn-1`,
        undefined,
        { msgtype: 'm.text', body: 'one' },
      );
      expect(again.event_id).to.equal(first.event_id);
      // He reads it before he answers: matrix-js-sdk shows what is sent at once, in front of what it has not synced yet.
      await eventually(bob, 'the first message', () => textsOf(roomOf(bob)).join() === 'one');
      await bob.sendTextMessage(roomId, 'two');
      for (const client of [ann, bob]) {
        await eventually(client, 'both messages', () => textsOf(roomOf(client)).join() === 'one,two');
      }
    });

    it('typing, receipts and read markers', async () => {
      const typing = new Promise<boolean>((resolve) => {
        ann.on(
          RoomMemberEvent.Typing,
          (_, member) => member.userId === '@bob:localhost' && resolve(member.typing),
        );
      });
      await bob.sendTyping(roomId, true, 20_000);
      expect(await typing).to.equal(true);
      await bob.sendTyping(roomId, false, 0);
      await eventually(
        ann,
        'the end of typing',
        () => roomOf(ann).getMember('@bob:localhost')?.typing === false,
      );
      const last = roomOf(bob).getLiveTimeline().getEvents().at(-1) as MatrixEvent;
      const shown = roomOf(ann).findEventById(last.getId() ?? '') as MatrixEvent;
      await bob.sendReadReceipt(last, ReceiptType.Read);
      await eventually(ann, 'his receipt', () =>
        roomOf(ann).getUsersReadUpTo(shown).includes('@bob:localhost'),
      );
      await bob.setRoomReadMarkers(roomId, last.getId() ?? '', last);
      await eventually(
        bob,
        'his read marker',
        () => roomOf(bob).getAccountData('m.fully_read')?.getContent()['event_id'] === last.getId(),
      );
    });

    it('state, redaction, account data and tags', async () => {
      await ann.sendStateEvent(roomId, EventType.RoomTopic, { topic: 'premiere' }, '');
      await eventually(
        bob,
        'the topic',
        () =>
          roomOf(bob).currentState.getStateEvents('m.room.topic', '')?.getContent()['topic'] === 'premiere',
      );
      expect(await statusOf(bob.sendStateEvent(roomId, EventType.RoomTopic, { topic: 'mine' }, ''))).to.equal(
        '403 M_FORBIDDEN',
      );
      const { event_id: regretted } = await bob.sendTextMessage(roomId, 'oops');
      await eventually(ann, 'the message', () => textsOf(roomOf(ann)).includes('oops'));
      await bob.redactEvent(roomId, regretted);
      await eventually(
        ann,
        'the redaction',
        () => roomOf(ann).findEventById(regretted)?.isRedacted() === true,
      );
      await ann.setAccountData('org.example.notes' as never, { seen: 1 } as never);
      await eventually(ann, 'her account data', () =>
        ann.getAccountData('org.example.notes' as never)?.getContent(),
      );
      await ann.setRoomTag(roomId, 'm.favourite', { order: 0.5 });
      await eventually(ann, 'the tag', () => roomOf(ann).tags['m.favourite']?.order === 0.5);
    });

    it('pages back through a limited timeline', async () => {
      for (let number = 1; number <= 30; number += 1) await ann.sendTextMessage(roomId, `line ${number}`);
      const reader = clientOf(server.url, await logIn(server.url, 'bob', 'bob has another'));
      try {
        await startSyncing(reader, 5);
        const room = roomOf(reader);
        expect(textsOf(room)).to.deep.equal(['line 26', 'line 27', 'line 28', 'line 29', 'line 30']);
        const pages = new Set<string>();
        while (room.oldState.paginationToken !== null) {
          pages.add(room.oldState.paginationToken ?? '');
          await reader.scrollback(room, 10);
        }
        expect(pages.size).to.be.greaterThan(2);
        expect(textsOf(room).slice(0, 3)).to.deep.equal(['one', 'two', '']);
        expect(room.getLiveTimeline().getEvents()[0]?.getType()).to.equal('m.room.create');
        const page = await reader.createMessagesRequest(roomId, null, 4, Direction.Backward);
        expect(page.chunk).to.have.length(4);
      } finally {
        reader.stopClient();
        await reader.logout();
      }
      expect(await statusOf(reader.whoami())).to.equal('401 M_UNKNOWN_TOKEN');
    });

    it('filters', async () => {
      const filter = await ann.createFilter({ room: { timeline: { limit: 1, types: ['m.room.message'] } } });
      const answer = await ann.http.authedRequest<{
        rooms: { join: Record<string, { timeline: { events: unknown[] } }> };
      }>('GET' as never, '/sync', { filter: filter.filterId ?? '' });
      expect(answer.rooms.join[roomId]?.timeline.events).to.have.length(1);
    });

    it('kick, ban, unban, and joining again by invitation', async () => {
      await ann.kick(roomId, '@bob:localhost', 'a pause');
      await eventually(bob, 'the kick', () => roomOf(bob).getMyMembership() === 'leave');
      expect(await statusOf(bob.joinRoom(roomId))).to.equal('403 M_FORBIDDEN');
      await ann.ban(roomId, '@bob:localhost', 'too loud');
      await eventually(bob, 'the ban', () => roomOf(bob).getMember('@bob:localhost')?.membership === 'ban');
      expect(await statusOf(ann.invite(roomId, '@bob:localhost'))).to.equal('403 M_FORBIDDEN');
      await ann.unban(roomId, '@bob:localhost');
      await ann.invite(roomId, '@bob:localhost');
      await eventually(bob, 'the new invite', () => roomOf(bob).getMyMembership() === 'invite');
      await bob.joinRoom(roomId);
      await eventually(bob, 'his return', () => roomOf(bob).getMyMembership() === 'join');
    });

    it('after a restart everything is there, and they log in again', async () => {
      await ann.sendTextMessage(roomId, 'before the night');
      ann.stopClient();
      bob.stopClient();
      expect(await server.stop(), server.output()).to.equal(0);
      server = await startTroupe({ gateways, folder: server.folder });
      expect(server.firstToken, 'the token was used').to.equal(null);
      ann = clientOf(server.url, await logIn(server.url, 'ann', 'ann has a secret'));
      await startSyncing(ann);
      const room = roomOf(ann);
      expect(room.name).to.equal('Stage');
      expect(textsOf(room).at(-1)).to.equal('before the night');
      expect(room.getMember('@bob:localhost')?.membership).to.equal('join');
      expect(room.currentState.getStateEvents('m.room.topic', '')?.getContent()['topic']).to.equal(
        'premiere',
      );
      expect(room.tags['m.favourite']?.order).to.equal(0.5);
      expect(ann.getAccountData('org.example.notes' as never)?.getContent()).to.deep.equal({ seen: 1 });
      expect((await ann.getProfileInfo('@ann:localhost')).displayname).to.equal('Ann');
      bob = clientOf(server.url, await logIn(server.url, '@bob:localhost', 'bob has another'));
      await startSyncing(bob);
      await bob.sendTextMessage(roomId, 'good morning');
      await eventually(ann, 'his greeting', () => textsOf(roomOf(ann)).at(-1) === 'good morning');
    });

    it('registration is closed by default', async () => {
      ann.stopClient();
      bob.stopClient();
      await server.stop();
      server = await startTroupe({
        gateways,
        folder: server.folder,
        environment: { TROUPE_REGISTRATION_OPEN: 'false' },
      });
      const answer = await statusOf(
        anonymousClient(server.url).registerRequest({ username: 'eve', password: 'let me in' }),
      );
      expect(answer).to.equal('403 M_FORBIDDEN');
    });
  });
}
