import { expect } from 'chai';
import {
  QUIET_ROOM_MS,
  REMOTE_TYPING_TIMEOUT_MS,
  TYPING_TIMEOUT_MS_MAX,
} from '../../../actors/typing/actor.ts';
import { TYPING_USERS_MAX } from '../../../actors/typing/typists.ts';
import type { OutputOf } from '../../../actors/kit/protocol.ts';
import type { TypingProtocol } from '../../../actors/typing/protocol.ts';
import type { StreamOwnerProtocol } from '../../../src/streams/message.ts';
import { typingStream } from '../../../src/streams/typing-stream.ts';
import { TRANSPORTS } from '../../support/actor-host.ts';
import { createOwnerWorld, type OwnerWorld } from '../../support/owner-world.ts';

const ROOM = '!room:example.com';
const ALICE = '@alice:example.com';
const BOB = '@bob:example.com';
const REMOTE = '@remote:other.example';

type Page = OutputOf<StreamOwnerProtocol, 'stream.read'>;

for (const transport of TRANSPORTS)
  describe(`the typing actor, ${transport}`, () => {
    let world: OwnerWorld;
    beforeEach(async () => {
      world = await createOwnerWorld({ owners: ['typing'], transport });
      await world.addRoom(ROOM, ALICE, BOB, REMOTE);
    });
    afterEach(() => world.stop());

    const rows = () => world.rows(typingStream).map(({ row }) => row.userIds);

    it('says who types, to subscribers and to other servers', async () => {
      const typing = world.host.ref('typing');
      const user = { roomId: ROOM, userId: ALICE, timeoutMs: 30_000 };
      const began = await typing.ask('typing.set-typing', { ...user, isTyping: true });
      const ended = await typing.ask('typing.set-typing', { ...user, isTyping: false });
      await world.host.idle();
      expect([began.position, ended.position, ended.epoch === began.epoch]).to.deep.equal([1, 2, true]);
      expect(rows()).to.deep.equal([[ALICE], []]);
      expect(world.edus.map(({ edu }) => edu.content['typing'])).to.deep.equal([true, false]);
      expect(world.edus[0]).to.deep.equal({
        roomId: ROOM,
        edu: {
          type: 'm.typing',
          content: { room_id: ROOM, user_id: ALICE, typing: true },
          key: `${ROOM} ${ALICE}`,
        },
      });
    });

    it('2.10 takes a remote word only of a server in the room, about its own users', async () => {
      const typing = world.host.ref('typing');
      const word = { origin: 'other.example', roomId: ROOM, userId: REMOTE, isTyping: true };
      typing.tell('typing.receive-remote', { ...word, origin: 'evil.example' });
      typing.tell('typing.receive-remote', { ...word, userId: '@x:evil.example' });
      typing.tell('typing.receive-remote', {
        ...word,
        origin: 'evil.example',
        userId: '@x:evil.example',
      });
      typing.tell('typing.receive-remote', { ...word, userId: ALICE });
      typing.tell('typing.receive-remote', { ...word, userId: ALICE, origin: 'example.com' });
      typing.tell('typing.receive-remote', { ...word, userId: '@x:notother.example' });
      typing.tell('typing.receive-remote', { ...word, roomId: '!elsewhere:example.com' });
      typing.tell('typing.receive-remote', word);
      typing.tell('typing.receive-remote', { ...word, isTyping: false });
      await world.host.idle();
      expect(rows()).to.deep.equal([[REMOTE], []]);
      expect(world.edus, 'not sent on').to.deep.equal([]);
    });

    it('2.4 after a restart there is a new epoch, and nobody types', async () => {
      const typing = world.host.ref('typing');
      const user = { roomId: ROOM, userId: ALICE, isTyping: true, timeoutMs: 30_000 };
      const before = await typing.ask('typing.set-typing', user);
      await world.host.restart('typing');
      await world.host.idle();
      const read = { stream: 'typing', epoch: before.epoch, from: 0, to: 100, limit: 100 };
      const page: Page = await typing.ask('stream.read', read);
      expect(page.rows).to.deep.equal([]);
      expect(page.epoch).to.not.equal(before.epoch);
      const after = await typing.ask('typing.set-typing', { ...user, userId: BOB });
      expect(after).to.deep.equal({ epoch: page.epoch, position: 1 });
      await world.host.idle();
      expect(rows().at(-1), 'who typed before is not there').to.deep.equal([BOB]);
    });
  });

describe('the typing actor', () => {
  let world: OwnerWorld;
  beforeEach(async () => {
    world = await createOwnerWorld({ owners: ['typing'] });
    await world.addRoom(ROOM, ALICE, BOB, REMOTE);
  });
  afterEach(() => world.stop());

  const rows = () => world.rows(typingStream).map(({ row }) => row.userIds);
  const type = (userId: string, timeoutMs = 30_000, roomId = ROOM) =>
    world.host.ref('typing').ask('typing.set-typing', { roomId, userId, isTyping: true, timeoutMs });
  const tell = <Name extends 'typing.clear-user' | 'typing.prune-room'>(
    message: Name,
    input: TypingProtocol[Name]['input'],
  ) => world.host.ref('typing').tell(message, input);
  const held = async (from = 0): Promise<Page> => {
    const { epoch } = world.heard.at(-1) ?? { epoch: 0 };
    return world.host
      .ref('typing')
      .ask('stream.read', { stream: 'typing', epoch, from, to: 1_000_000, limit: 1_000 });
  };

  it("2.10 times out at the request's timeout, and tells other servers", async () => {
    await type(ALICE, 4_000);
    await world.clock.advance(3_999);
    expect(rows()).to.deep.equal([[ALICE]]);
    await world.clock.advance(1);
    expect(rows()).to.deep.equal([[ALICE], []]);
    expect(world.edus.map(({ edu }) => edu.content['typing'])).to.deep.equal([true, false]);
  });

  it('2.10 times out at the maximum, whatever is asked for', async () => {
    await type(ALICE, Number.MAX_SAFE_INTEGER);
    await world.clock.advance(TYPING_TIMEOUT_MS_MAX - 1);
    expect(rows()).to.deep.equal([[ALICE]]);
    await world.clock.advance(1);
    expect(rows()).to.deep.equal([[ALICE], []]);
  });

  it('2.10 a remote user who falls silent stops, and nobody is told on their behalf', async () => {
    const word = { origin: 'other.example', roomId: ROOM, userId: REMOTE, isTyping: true };
    world.host.ref('typing').tell('typing.receive-remote', word);
    await world.host.idle();
    await world.clock.advance(REMOTE_TYPING_TIMEOUT_MS - 1);
    expect(rows()).to.deep.equal([[REMOTE]]);
    await world.clock.advance(1);
    expect([rows(), world.edus.length]).to.deep.equal([[[REMOTE], []], 0]);
  });

  it('a renewal appends no row, and begins the time anew', async () => {
    const first = await type(ALICE, 10_000);
    await world.clock.advance(9_000);
    expect((await type(ALICE, 10_000)).position).to.equal(first.position);
    await world.clock.advance(9_000);
    expect(rows()).to.deep.equal([[ALICE]]);
    await world.clock.advance(1_000);
    expect(rows()).to.deep.equal([[ALICE], []]);
  });

  it('2.10 leaving clears', async () => {
    await type(ALICE);
    await type(BOB);
    tell('typing.clear-user', { roomId: ROOM, userId: ALICE });
    tell('typing.clear-user', { roomId: ROOM, userId: ALICE });
    tell('typing.clear-user', { roomId: '!other:x', userId: ALICE });
    await world.host.idle();
    expect(rows()).to.deep.equal([[ALICE], [ALICE, BOB], [BOB]]);
    await world.clock.advance(TYPING_TIMEOUT_MS_MAX);
    expect(rows().slice(3), 'the time of who left runs no more').to.deep.equal([[]]);
  });

  it('2.10 a pruned room: its typists end, and what comes for it later throws nothing', async () => {
    await type(ALICE);
    tell('typing.prune-room', { roomId: ROOM });
    tell('typing.prune-room', { roomId: ROOM });
    tell('typing.clear-user', { roomId: ROOM, userId: ALICE });
    await world.host.idle();
    expect(rows()).to.deep.equal([[ALICE], []]);
    await world.clock.advance(QUIET_ROOM_MS);
    tell('typing.prune-room', { roomId: ROOM });
    tell('typing.clear-user', { roomId: ROOM, userId: ALICE });
    await world.host.idle();
    expect((await held()).rows, 'its row is skipped').to.deep.equal([]);
    await type(BOB);
    await world.host.idle();
    expect(rows().at(-1)).to.deep.equal([BOB]);
    expect(world.host.status().actors.find(({ name }) => name === 'typing')?.incarnation).to.equal(1);
  });

  it('"nobody types" is held for a while, then forgotten, which a later catch-up says', async () => {
    await type(ALICE, 1_000);
    await world.clock.advance(1_000);
    await world.clock.advance(QUIET_ROOM_MS - 1);
    expect((await held(1)).rows.map(({ position }) => position)).to.deep.equal([2]);
    expect(await held(1)).to.not.have.property('forgottenUpTo');
    await world.clock.advance(1);
    expect(await held(1)).to.deep.include({ rows: [], forgottenUpTo: 2 });
    expect(await held(2)).to.not.have.property('forgottenUpTo');
  });

  it('who types again in time is not forgotten', async () => {
    await type(ALICE, 1_000);
    await world.clock.advance(QUIET_ROOM_MS - 5_000);
    await type(BOB, 60_000);
    await world.clock.advance(30_000);
    expect((await held()).rows.map(({ row }) => row)).to.deep.equal([{ roomId: ROOM, userIds: [BOB] }]);
  });

  it('2.5 catching up costs what lives', async () => {
    for (let index = 0; index < 300; index += 1) {
      // One after another: each has a row of its own.
      await type(ALICE, index < 297 ? 1_000 : 100_000, `!${index}`);
      world.host.ref('typing').tell('typing.clear-user', { roomId: `!${index}`, userId: BOB });
    }
    await world.clock.advance(1_000);
    expect((await held()).rows).to.have.length(300);
    // Longer than a quiet room is remembered, while three are kept alive.
    for (let passed = 0; passed < QUIET_ROOM_MS; passed += 60_000) {
      await Promise.all([297, 298, 299].map((index) => type(ALICE, 100_000, `!${index}`)));
      await world.clock.advance(60_000);
    }
    expect((await held()).rows).to.have.length(3);
  });

  it('shows no more than its bound in one room', async () => {
    const users = Array.from({ length: TYPING_USERS_MAX + 5 }, (_, index) => `@u${index}:example.com`);
    await Promise.all(users.map((userId) => type(userId)));
    await world.host.idle();
    expect(rows().at(-1)).to.deep.equal(users.slice(0, TYPING_USERS_MAX));
    const [first = ''] = users;
    tell('typing.clear-user', { roomId: ROOM, userId: first });
    await type('@late:example.com');
    await world.host.idle();
    expect(rows().at(-1)).to.include('@late:example.com').and.have.length(TYPING_USERS_MAX);
  });

  it('leaves no timer behind', async () => {
    await type(ALICE);
    await type(BOB, 1_000, '!quiet');
    await world.clock.advance(1_000);
    await world.host.stop();
    await world.clock.advance(60_000);
    expect(world.clock.pendingTimers).to.equal(0);
  });
});
