import { expect } from 'chai';
import { DELETED_PER_WRITE_MAX } from '../../../actors/key-backup/actor.ts';
import { SWEEP_RETRY_MS, SWEPT_PER_WRITE_MAX } from '../../../actors/key-backup/sweeper.ts';
import { findBackup, findLeftover, findSession, readSessions } from '../../../db/key-backup/reader.ts';
import type { NewSession } from '../../../db/key-backup/session.ts';
import { deleteVersion, storeSessions } from '../../../db/key-backup/writer.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { TRANSPORTS } from '../../support/actor-host.ts';
import { createOwnerWorld, type OwnerWorld } from '../../support/owner-world.ts';

const ALICE = '@alice:example.com';
const ROOM = '!room:example.com';

const keyOf = (sessionId: string, changed: Partial<NewSession> = {}): NewSession => ({
  roomId: ROOM,
  sessionId,
  firstMessageIndex: 0,
  forwardedCount: 0,
  isVerified: false,
  sessionData: '{"a":1}',
  ...changed,
});

const many = (count: number): NewSession[] => Array.from({ length: count }, (_, index) => keyOf(`s${index}`));

for (const transport of TRANSPORTS)
  describe(`the key-backup actor, ${transport}`, () => {
    let world: OwnerWorld;
    beforeEach(async () => {
      world = await createOwnerWorld({ owners: ['key-backup'], transport, isHeard: false });
    });
    afterEach(() => world.stop());

    const actor = () => world.host.ref('key-backup');
    const create = () =>
      actor().ask('key-backup.create-version', { userId: ALICE, algorithm: 'm.x', authData: '{}' });
    const store = (sessions: readonly NewSession[], version = 1) =>
      actor().ask('key-backup.store-sessions', { userId: ALICE, version, sessions });
    const remove = (roomId: string | null, sessionId: string | null = null) =>
      actor().ask('key-backup.delete-sessions', { userId: ALICE, version: 1, roomId, sessionId });

    it('keeps what was stored over a restart', async () => {
      expect(await create()).to.deep.equal({ kind: 'created', version: 1 });
      expect(await store([keyOf('a')])).to.deep.equal({ kind: 'changed', etag: 1, count: 1 });
      await world.restartServer();
      expect(await store([keyOf('b'), keyOf('a')])).to.deep.equal({ kind: 'changed', etag: 2, count: 2 });
      expect(await create()).to.deep.equal({ kind: 'created', version: 2 });
    });

    it('two devices that store the better and the worse key at once leave the better one', async () => {
      await create();
      const better = keyOf('a', { isVerified: true, sessionData: '{"a":"better"}' });
      await Promise.all([store([better]), store([keyOf('a')]), store([better]), store([keyOf('b')])]);
      const backup = await findBackup(world.database.db, ALICE, 1);
      expect(backup).to.deep.include({ keyCount: 2, etag: 2 });
      const stored = await findSession(world.database.db, backup?.backupNid ?? 0, ROOM, 'a');
      expect(stored?.sessionData).to.equal('{"a":"better"}');
    });

    it('refuses while storage cannot be written, and works again', async () => {
      await create();
      world.fault = 'disk-full';
      const answers = await Promise.all([create(), store([keyOf('a')]), remove(null), remove(ROOM)]);
      expect(answers.map((answer) => isRefusal(answer) && answer.status)).to.deep.equal([503, 503, 503, 503]);
      world.fault = null;
      expect(await store([keyOf('a')])).to.deep.equal({ kind: 'changed', etag: 1, count: 1 });
    });
  });

describe('the key-backup actor', () => {
  let world: OwnerWorld;
  beforeEach(async () => {
    world = await createOwnerWorld({ owners: ['key-backup'], isHeard: false });
  });
  afterEach(() => world.stop());

  const actor = () => world.host.ref('key-backup');
  const create = () =>
    actor().ask('key-backup.create-version', { userId: ALICE, algorithm: 'm.x', authData: '{}' });
  const store = (sessions: readonly NewSession[], version = 1) =>
    actor().ask('key-backup.store-sessions', { userId: ALICE, version, sessions });
  const keysLeft = async (backupNid: number): Promise<number> =>
    (await readSessions(world.database.db, backupNid, null, null, 100_000)).length;

  it('deletes the keys of a large room in slices, and answers when the last is gone', async () => {
    await create();
    await store(many(DELETED_PER_WRITE_MAX + 1));
    await store([keyOf('s', { roomId: '!other' })]);
    const before = world.commits;
    const gone = await actor().ask('key-backup.delete-sessions', {
      userId: ALICE,
      version: 1,
      roomId: ROOM,
      sessionId: null,
    });
    expect(gone).to.deep.equal({ kind: 'changed', etag: 4, count: 1 });
    expect(world.commits - before).to.equal(2);
    const [left] = await readSessions(world.database.db, 1, null, null, 10);
    expect(left).to.deep.include({ roomId: '!other' });
  });

  it('a version that is gone is gone at once, its keys little by little, also over a restart', async () => {
    await create();
    await store(many(SWEPT_PER_WRITE_MAX + 1));
    await create();
    await store([keyOf('s')], 2);
    await world.database.write.write({ owner: 'key-backup', steps: deleteVersion(ALICE, 1) });
    expect(await findBackup(world.database.db, ALICE, 1)).to.equal(undefined);
    expect(await findLeftover(world.database.db), 'as after a crash').to.equal(1);
    world.fault = 'disk-full';
    await world.restartServer();
    expect(await keysLeft(1)).to.equal(SWEPT_PER_WRITE_MAX + 1);
    world.fault = null;
    await world.clock.advance(SWEEP_RETRY_MS);
    await world.host.idle();
    expect(await findLeftover(world.database.db)).to.equal(undefined);
    expect([await keysLeft(1), await keysLeft(2)]).to.deep.equal([0, 1]);
  });

  it('counts and weighs only what is stored, and bounds both', async () => {
    await create();
    const write = (sessions: readonly NewSession[], bounds: { most: number; bytesMax: number }) =>
      world.database.write.write({
        owner: 'key-backup',
        steps: storeSessions(ALICE, 1, sessions, bounds),
      });
    const text = (bytes: number): string => `{"a":"${'é'.repeat((bytes - 8) / 2)}"}`;
    const bounds = { most: 2, bytesMax: 100 };
    const kinds: string[] = [];
    for (const sessions of [
      [keyOf('a', { sessionData: text(50) })],
      [keyOf('b', { sessionData: text(52) })],
      [keyOf('b', { sessionData: text(50) })],
      [keyOf('b', { sessionData: text(400), firstMessageIndex: 9 })],
      [keyOf('c', { sessionData: '{}' })],
      [keyOf('a', { sessionData: text(52), isVerified: true })],
      [keyOf('a', { sessionData: text(20), isVerified: true })],
    ]) {
      // One after another, since each depends on what is there.
      const outcome = await write(sessions, bounds);
      kinds.push(outcome.kind === 'refused' ? outcome.refusal : outcome.kind);
    }
    expect(kinds).to.deep.equal([
      'committed',
      'too-large',
      'committed',
      'committed',
      'too-large',
      'too-large',
      'committed',
    ]);
    expect(await findBackup(world.database.db, ALICE, 1)).to.deep.include({ keyCount: 2, etag: 3 });
  });
});
