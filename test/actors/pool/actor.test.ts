import { expect } from 'chai';
import { POOL_QUEUE_MAX, poolActor } from '../../../actors/pool/actor.ts';
import type { PoolProtocol } from '../../../actors/pool/protocol.ts';
import type { ActorMap } from '../../../actors/protocols.ts';
import type { ActorRef, AskFailed } from '../../../actors/kit/ref.ts';
import type { Environment } from '../../../actors/environment.ts';
import type { LogFields, Logger } from '../../../src/kit/logger.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { type ActorHost, createActorHost, type Transport, TRANSPORTS } from '../../support/actor-host.ts';

const MODULE = {
  module: new URL('../../../actors/pool/actor.ts', import.meta.url).href,
  exportName: 'poolActor',
};

describe('the pool actor', () => {
  let host: ActorHost<ActorMap>;
  let pool: ActorRef<PoolProtocol>;
  const lines: string[] = [];
  const write = (message: string, fields?: LogFields): void => {
    lines.push(message, JSON.stringify(fields), String(fields?.['error']));
  };
  const log: Logger = {
    level: 'debug',
    debug: write,
    info: write,
    warn: write,
    error: write,
    child: () => log,
  };

  async function start(transport: Transport): Promise<void> {
    lines.length = 0;
    const env = {} as Environment;
    host = await createActorHost<ActorMap, Environment>({
      transport,
      actors: [transport === 'same-thread' ? poolActor : MODULE],
      env,
      log,
    });
    pool = host.ref('pool');
  }

  afterEach(() => host.stop());

  for (const transport of TRANSPORTS) {
    it(`hashes and verifies passwords, ${transport}`, async () => {
      await start(transport);
      const hashed = await pool.ask('pool.hash-password', { password: 'pässword' });
      if (isRefusal(hashed)) throw new Error('refused');
      expect(hashed.hash).to.match(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
      const verify = (password: string, hash: string | null) =>
        pool.ask('pool.verify-password', { password, hash });
      expect(await verify('pässword', hashed.hash)).to.deep.equal({ matches: true });
      expect(await verify('password', hashed.hash)).to.deep.equal({ matches: false });
      expect(await verify('pässword', null)).to.deep.equal({ matches: false });
    });
  }

  it('refuses what would wait too long', async () => {
    await start('same-thread');
    const asks = Array.from({ length: POOL_QUEUE_MAX + 60 }, () =>
      pool.ask('pool.verify-password', { password: 'x', hash: null }),
    );
    const busy = (await Promise.all(asks)).filter(isRefusal);
    expect(busy.length).to.be.within(1, 60);
    expect(busy[0]).to.deep.include({ errcode: 'M_LIMIT_EXCEEDED', status: 503 });
  });

  it('does not write the password into the log when it crashes', async () => {
    await start('same-thread');
    const task = { password: 'correct horse', hash: 'not a hash' };
    const failure: unknown = await host
      .ref('pool')
      .ask('pool.verify-password', task)
      .catch((error: unknown) => error);
    expect((failure as AskFailed).reason).to.equal('stopped');
    await host.idle();
    expect(lines.join('\n')).to.include('crashed').and.not.include('correct horse');
  });
});
