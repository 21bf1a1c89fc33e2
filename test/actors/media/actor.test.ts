import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { committerActor } from '../../../actors/committer/actor.ts';
import type { Environment } from '../../../actors/environment.ts';
import { CONTENT_WAITERS_MAX, createContentWaiters } from '../../../actors/media/content-waiters.ts';
import { RENDERS_MAX, RENDERS_WAITING_MAX } from '../../../actors/media/thumbnail-desk.ts';
import type { PoolProtocol } from '../../../actors/pool/protocol.ts';
import { defineActor } from '../../../actors/environment.ts';
import type { ActorMap } from '../../../actors/protocols.ts';
import { findMedia } from '../../../db/media/reader.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import { isRefusal, refuse } from '../../../src/matrix/refusal.ts';
import { blobPath, createBlobWriter, mediaFolder } from '../../../src/media/blob-store.ts';
import type { RenderTask } from '../../../src/media/render-thumbnail.ts';
import { type ActorHost, createActorHost, type Transport, TRANSPORTS } from '../../support/actor-host.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { testConfig } from '../accounts/accounts-world.ts';
import { mediaEnvironmentOver } from './media-env.ts';

const MODULE = {
  module: new URL('../../../actors/media/actor.ts', import.meta.url).href,
  exportName: 'mediaActor',
};
const ENVIRONMENT = { module: new URL('media-env.ts', import.meta.url).href, exportName: 'mediaEnvironment' };
const BLOB = { sizeBytes: 3, contentType: 'text/plain', sniffedType: null, fileName: null };
const sha256 = (digit: string): string => digit.repeat(64);

describe('the media actor', () => {
  let database: TestDatabase;
  let host: ActorHost<ActorMap>;
  let env: Environment & { close(): void };
  let folder: string;
  let tasks: RenderTask[];
  let rendered: () => Promise<ReturnType<typeof refuse>>;

  async function start(transport: Transport): Promise<void> {
    env = mediaEnvironmentOver(database.path, testConfig(database.folder));
    const pool = defineActor<Pick<PoolProtocol, 'pool.render-thumbnail'>>({
      name: 'pool',
      mailbox: { limit: 1_000, whenFull: 'refuse' },
      order: { kind: 'interleaved' },
      start: () => ({
        handlers: {
          'pool.render-thumbnail'(task) {
            tasks.push(task);
            return rendered();
          },
        },
      }),
    });
    host = await createActorHost<ActorMap, Environment>({
      transport,
      actors: [committerActor, pool, MODULE],
      env,
      workerEnv: ENVIRONMENT,
      workerData: database.path,
    });
    await host.idle();
  }

  beforeEach(async () => {
    database = await createTestDatabase();
    database.write.close();
    folder = mediaFolder(database.folder);
    tasks = [];
    rendered = () => Promise.resolve(refuse('M_UNKNOWN', 'no', { status: 400 }));
  });
  afterEach(async () => {
    await host.stop();
    env.close();
    database.close();
  });

  for (const transport of TRANSPORTS) {
    it(`stores, reserves and fills, ${transport}`, async () => {
      await start(transport);
      const media = host.ref('media');
      const stored = await media.ask('media.store', {
        uploader: '@a:example.org',
        blob: { ...BLOB, sha256: sha256('a') },
      });
      if (isRefusal(stored)) throw new Error('refused');
      expect(await findMedia(env.db, 'example.org', stored.mediaId)).to.include({
        sha256: sha256('a'),
        sizeBytes: 3,
      });
      const reserved = await media.ask('media.reserve', { userId: '@a:example.org' });
      if (isRefusal(reserved)) throw new Error('refused');
      const { mediaId } = reserved;
      const waiting = [1, 2].map((waiter) =>
        media.ask('media.await-content', { mediaId, waiter: String(waiter), timeoutMs: 20_000 }),
      );
      const blob = { ...BLOB, sha256: sha256('b') };
      expect(await media.ask('media.fill', { userId: '@a:example.org', mediaId, blob })).to.deep.equal({
        kind: 'stored',
      });
      expect(await Promise.all(waiting)).to.deep.equal([{ kind: 'uploaded' }, { kind: 'uploaded' }]);
      const late = { mediaId, waiter: '3', timeoutMs: 20_000 };
      expect(await media.ask('media.await-content', late)).to.deep.equal({ kind: 'uploaded' });
      const again = await media.ask('media.fill', { userId: '@a:example.org', mediaId, blob });
      expect(again).to.include({ errcode: 'M_CANNOT_OVERWRITE_MEDIA' });
    });
  }

  it('sweeps at the first start what a crash has left, and leaves alone what is under way at later ones', async () => {
    const random = seededRandom(3);
    const place = async (text: string) => {
      const writer = await createBlobWriter(folder, random);
      await writer.write(Buffer.from(text));
      return writer.place();
    };
    mkdirSync(join(folder, 'temporary'), { recursive: true });
    writeFileSync(join(folder, 'temporary', 'half.part'), 'half');
    const orphan = await place('renamed, and no row');
    await start('same-thread');
    expect(readdirSync(join(folder, 'temporary'))).to.deep.equal([]);
    expect(existsSync(blobPath(folder, orphan.sha256))).to.equal(false);

    const media = host.ref('media');
    const row = await place('with a row');
    await media.ask('media.store', { uploader: null, blob: { ...BLOB, sha256: row.sha256 } });
    writeFileSync(join(folder, 'temporary', 'upload.part'), 'under way');
    await host.supervisor.restart('media');
    await host.idle();
    await media.ask('media.reserve', { userId: '@a:example.org' });
    expect(readdirSync(join(folder, 'temporary'))).to.include('upload.part');

    await host.stop();
    await start('same-thread');
    expect(readdirSync(join(folder, 'temporary'))).to.deep.equal([]);
    expect(existsSync(blobPath(folder, row.sha256))).to.equal(true);
  });

  it('renders few thumbnails at a time, and each once', async () => {
    await start('same-thread');
    const media = host.ref('media');
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    rendered = async () => {
      await gate;
      return refuse('M_UNKNOWN', 'not now', { status: 500 });
    };
    const request = (digit: number) =>
      ({
        sha256: digit.toString(16).padStart(64, '0'),
        width: 32,
        height: 32,
        method: 'crop',
        animated: false,
      }) as const;
    const total = RENDERS_MAX + RENDERS_WAITING_MAX;
    const asks = Array.from({ length: total }, (_, digit) =>
      media.ask('media.make-thumbnail', request(digit)),
    );
    const same = Array.from({ length: 5 }, () => media.ask('media.make-thumbnail', request(0)));
    while (tasks.length < RENDERS_MAX) await new Promise((resolve) => setImmediate(resolve));
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(tasks.length).to.equal(RENDERS_MAX);
    open();
    await Promise.all([...asks, ...same]);
    expect(tasks.length).to.equal(total);
  });

  it('remembers what is no picture, and not what failed', async () => {
    await start('same-thread');
    const media = host.ref('media');
    const request = { sha256: sha256('c'), width: 32, height: 32, method: 'crop', animated: false } as const;
    rendered = () => Promise.resolve(refuse('M_UNKNOWN', 'broken', { status: 500 }));
    for (let time = 0; time < 2; time += 1) await media.ask('media.make-thumbnail', request);
    expect(tasks.length).to.equal(2);
    rendered = () => Promise.resolve(refuse('M_TOO_LARGE', 'large'));
    for (let time = 0; time < 3; time += 1)
      expect(await media.ask('media.make-thumbnail', request)).to.include({ status: 413 });
    expect(tasks.length).to.equal(3);
  });

  it('lets only so many wait for content', async () => {
    await start('same-thread');
    const clock = createFakeClock();
    const waiters = createContentWaiters(clock);
    const all = Array.from({ length: CONTENT_WAITERS_MAX }, (_, n) =>
      waiters.wait(`m${n % 7}`, String(n), 1_000),
    );
    expect(await waiters.wait('m', 'one more', 1_000)).to.deep.equal({ kind: 'not-yet' });
    waiters.stop('m0', '0');
    const next = waiters.wait('m', 'one more', 2_000);
    waiters.arrived('m1');
    await clock.advance(1_000);
    const outcomes = await Promise.all(all);
    expect(outcomes.filter(({ kind }) => kind === 'uploaded').length).to.equal(143);
    waiters.arrived('m');
    expect(await next).to.deep.equal({ kind: 'uploaded' });
    expect(clock.pendingTimers).to.equal(0);
  });
});
