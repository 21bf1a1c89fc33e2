import { expect } from 'chai';
import type { TroupeContext } from '../../../actors/environment.ts';
import { defineInspectorActor, type Inspected } from '../../../actors/inspector/actor.ts';
import type { InspectorProtocol } from '../../../actors/inspector/protocol.ts';
import type { ActorInstance } from '../../../actors/kit/actor.ts';
import type { InputOf, OutputOf } from '../../../actors/kit/protocol.ts';
import { systemClock } from '../../../src/kit/clock.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import { readMetricSlabs } from '../../../src/kit/metric-reader.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import { silentMetrics } from '../../support/database.ts';
import { createHttpClient } from '../../support/http-client.ts';
import { emptyDb, testConfig } from '../../src/http/kit/test-app.ts';

const ACTORS = [{ name: 'typing' }, { name: 'inspector' }];
const THREADS = [{ name: 'main' }, { name: 'store' }];

describe('inspector actor', () => {
  let ended: AbortController;
  let instance: ActorInstance<InspectorProtocol>;
  let restarted: string[];
  let looked: (string | undefined)[];

  const inspected = {
    status: () => ({ phase: 'running', actors: ACTORS, threads: THREADS, figuresOverflow: 0 }),
    figures(thread?: string) {
      looked.push(thread);
      return readMetricSlabs([]);
    },
    restart: async (actor: string) => void restarted.push(actor),
  } as unknown as Inspected;

  /** What a message is answered with, over no transport. */
  function ask<Name extends keyof InspectorProtocol>(
    name: Name,
    input: InputOf<InspectorProtocol, Name>,
  ): Promise<OutputOf<InspectorProtocol, Name>> {
    const handler = instance.handlers[name] as (
      given: InputOf<InspectorProtocol, Name>,
    ) => OutputOf<InspectorProtocol, Name> | Promise<OutputOf<InspectorProtocol, Name>>;
    return Promise.resolve(handler(input));
  }

  beforeEach(async () => {
    ended = new AbortController();
    [restarted, looked] = [[], []];
    const context = {
      name: 'inspector',
      clock: systemClock,
      random: seededRandom(1),
      log: silentLogger,
      metrics: silentMetrics,
      env: {
        config: { ...testConfig(), inspector: { listen: { host: '127.0.0.1', port: 0 } } },
        db: emptyDb,
        streams: null,
        caches: null,
      },
      ref: () => ({
        ask: (name: keyof InspectorProtocol, input: never) => ask(name, input),
      }),
      ended: ended.signal,
    } as unknown as TroupeContext;
    instance = await Promise.resolve(defineInspectorActor(inspected).start(context));
  });
  afterEach(async () => {
    await instance.stop?.();
    ended.abort();
  });

  it('gives the lists that the supervisor has', async () => {
    expect(await ask('inspector.read-list', { subject: 'actors' })).to.deep.equal(ACTORS);
    expect(await ask('inspector.read-list', { subject: 'threads' })).to.deep.equal(THREADS);
    expect(looked, 'no figures were needed').to.deep.equal([]);
    expect(await ask('inspector.read-list', { subject: 'caches' })).to.deep.equal([]);
    expect(looked, 'those of each thread').to.deep.equal(['main', 'store']);
  });

  it('restarts what there is, and refuses what there is not, and itself', async () => {
    expect(await ask('inspector.restart-actor', { name: 'typing' })).to.deep.equal({ restarted: 'typing' });
    expect(await ask('inspector.restart-actor', { name: 'prompter' })).to.include({
      errcode: 'M_NOT_FOUND',
      status: 404,
    });
    expect(await ask('inspector.restart-actor', { name: 'inspector' })).to.include({
      errcode: 'M_INVALID_PARAM',
    });
    expect(restarted).to.deep.equal(['typing']);
  });

  it('serves its lists on a listener of its own, without a token, until it ends', async () => {
    const address = await ask('inspector.read-address', null);
    const client = createHttpClient(address);
    const { status, body } = await client.get('/_troupe/inspector/v1/threads');
    expect([status, body]).to.deep.equal([200, { threads: THREADS }]);
    client.close();
    ended.abort();
    const later = createHttpClient(address);
    const outcome = await later.get('/_troupe/inspector/v1/threads').then(
      () => 'answered',
      (error: NodeJS.ErrnoException) => error.code,
    );
    later.close();
    expect(outcome).to.equal('ECONNREFUSED');
  });
});
