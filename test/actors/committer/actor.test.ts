import { expect } from 'chai';
import { commit } from '../../../actors/commit.ts';
import type { TroupeContext } from '../../../actors/environment.ts';
import { AskFailed, type AskFailureReason } from '../../../actors/kit/ref.ts';
import type { ActorMap } from '../../../actors/protocols.ts';
import { internUser } from '../../../db/interning/queries.ts';
import { defineQuery } from '../../../db/kit/query.ts';
import { step, type WriteSet } from '../../../db/kit/write-set.ts';
import { type ActorHost, createActorHost, TRANSPORTS } from '../../support/actor-host.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { committerEnv } from './committer-env.ts';

const listUsers = defineQuery<Record<string, never>, { readonly userId: string }>({
  name: 'committer-test.list-users',
  sql: 'SELECT user_id AS userId FROM user_ids ORDER BY user_nid',
});

function user(userId: string): WriteSet {
  return {
    owner: 'receipts',
    advance: { stream: 'receipts', count: 1 },
    steps: [step(internUser, { userId }, { expectChanges: 1, refusal: 'known' })],
  };
}

for (const transport of TRANSPORTS)
  describe(`the committer, ${transport}`, () => {
    let database: TestDatabase;
    let host: ActorHost<ActorMap>;
    const write = (set: WriteSet) => host.ref('committer').ask('committer.write', set);
    const users = async () => (await database.db.all(listUsers, {})).map(({ userId }) => userId);

    beforeEach(async () => {
      database = await createTestDatabase();
      database.write.close();
      host = await createActorHost<ActorMap, unknown>({
        transport,
        actors: [
          {
            module: new URL('../../../actors/committer/actor.ts', import.meta.url).href,
            exportName: 'committerActor',
          },
        ],
        env: committerEnv({ data: database.folder }),
        workerEnv: {
          module: new URL('./committer-env.ts', import.meta.url).href,
          exportName: 'committerEnv',
        },
        workerData: database.folder,
      });
    });
    afterEach(async () => {
      await host.stop();
      database.close();
    });

    it('commits, and is the one who knows where a stream stands', async () => {
      expect(await write(user('@a:b'))).to.deep.equal({ kind: 'committed', position: 1, returned: {} });
      expect(await users()).to.deep.equal(['@a:b']);
      const answer = await host.ref('committer').ask('committer.read-position', { stream: 'receipts' });
      expect(answer).to.deep.equal({ position: 1 });
    });

    it('1.4 tells an owner where its stream stands when what came before is committed, whatever becomes of it', async () => {
      const readPosition = () => host.ref('committer').ask('committer.read-position', { stream: 'receipts' });
      const sets = [user('@a:b'), user('@a:b'), { ...user('@c:b'), owner: 'rooms' }, user('@d:b')];
      const writes = Promise.all(sets.map(write));
      // A life that begins while sets of the one before still wait.
      const during = readPosition();
      const later = write(user('@e:b'));
      expect(await during)
        .to.have.property('position')
        .that.is.at.least(2);
      expect((await writes).map(({ kind }) => kind)).to.deep.equal([
        'committed',
        'refused',
        'defect',
        'committed',
      ]);
      await later;
      expect(await readPosition()).to.deep.equal({ position: 3 });
    });

    it('answers each of many at once with its own outcome, and lives on after a defect', async () => {
      const unknown: WriteSet = { owner: 'receipts', steps: [{ query: 'receipts.unknown', params: {} }] };
      const sets = [user('@a:b'), user('@a:b'), unknown, { ...user('@c:b'), owner: 'rooms' }, user('@d:b')];
      const answers = await Promise.all(sets.map(write));
      expect(answers.map(({ kind }) => kind)).to.deep.equal([
        'committed',
        'refused',
        'defect',
        'defect',
        'committed',
      ]);
      expect(answers[2]).to.have.property('detail').that.includes('unknown query receipts.unknown');
      expect(answers[3]).to.have.property('detail').that.includes('belongs to receipts');
      expect(answers[4]).to.have.property('position', 2);
      expect(host.status().actors.find(({ name }) => name === 'committer')?.incarnation).to.equal(1);
    });

    it('goes on where it stopped when it is started again, and after a crash', async () => {
      await write(user('@a:b'));
      await host.restart('committer');
      expect(await write(user('@c:b'))).to.have.property('position', 2);
      host.crashNext('committer');
      await write(user('@lost:b')).catch(() => undefined);
      await host.idle();
      const outcome = await write(user('@d:b'));
      expect(outcome).to.have.property('position', 3);
      expect(await users()).to.deep.equal(['@a:b', '@c:b', '@d:b']);
    });

    it('has written what it has answered when it stops', async () => {
      const sent = Array.from({ length: 20 }, (_, index) => `@${index}:b`);
      const first = write(user('@first:b'));
      const writes = Promise.allSettled(sent.map((userId) => write(user(userId))));
      await first;
      await host.stop();
      const settled = await writes;
      const answered = sent.filter((_, index) => settled[index]?.status === 'fulfilled');
      expect(await users()).to.include.members(['@first:b', ...answered]);
    });

    it('an owner without a stream commits through it, and crashes on a defect of its own', async () => {
      const context = { name: 'accounts', ref: (name: 'committer') => host.ref(name) } as unknown as Pick<
        TroupeContext,
        'name' | 'ref'
      >;
      expect(await commit(context, [step(internUser, { userId: '@a:b' })])).to.deep.include({
        position: null,
      });
      const advance = { stream: 'receipts', count: 1 };
      expect(await commit(context, [], advance).catch(String)).to.include('belongs to receipts');
    });
  });

describe('an owner whose committer does not answer', () => {
  const contextOf = (reason: AskFailureReason): Pick<TroupeContext, 'name' | 'ref'> => {
    const ask = () => Promise.reject(new AskFailed(reason, 'committer', 'committer.write'));
    return { name: 'accounts', ref: () => ({ name: 'committer', ask }) } as unknown as Pick<
      TroupeContext,
      'name' | 'ref'
    >;
  };

  it('is told that storage is busy when nothing was taken', async () => {
    expect(await commit(contextOf('mailbox-full'), [])).to.include({ kind: 'unavailable', fault: 'busy' });
  });

  for (const reason of ['timed-out', 'stopped'] as const)
    it(`crashes when it cannot know what happened: ${reason}`, async () => {
      expect(await commit(contextOf(reason), []).catch((error: unknown) => error)).to.be.instanceOf(
        AskFailed,
      );
    });
});
