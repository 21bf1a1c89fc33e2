import { expect } from 'chai';
import type { Environment } from '../../../actors/environment.ts';
import { type ActorRef, AskFailed } from '../../../actors/kit/ref.ts';
import { poolActor } from '../../../actors/pool/actor.ts';
import type { PoolProtocol, ResolutionTask, ResolvedStates } from '../../../actors/pool/protocol.ts';
import type { ActorMap } from '../../../actors/protocols.ts';
import {
  createResolver,
  INLINE_ENTRIES_MAX,
  INLINE_EVENTS_MAX,
  type Resolver,
} from '../../../actors/rooms/resolution.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { layOver } from '../../../src/state-resolution/stored-states.ts';
import { createForkDatabase, type ForkedRoom } from '../../src/state-resolution/forked-room.ts';
import { makeWideRoom } from '../../src/state-resolution/wide-room.ts';
import { type ActorHost, createActorHost, type Transport, TRANSPORTS } from '../../support/actor-host.ts';
import type { TestDatabase } from '../../support/database.ts';

const POOL = {
  module: new URL('../../../actors/pool/actor.ts', import.meta.url).href,
  exportName: 'poolActor',
};
/** Places that the two branches of a large room disagree about. */
const LARGE = 2_500;
const LARGE_ROOM_TIMEOUT_MS = 30_000;

type Task = Omit<ResolutionTask, 'databasePath'>;

function taskOf(room: ForkedRoom, ends: readonly string[], changes: Partial<Task> = {}): Task {
  return {
    roomVersion: room.version.id,
    roomId: room.roomId,
    branches: ends.map((eventId) => ({ stateGroup: room.stateGroupAfter(eventId), changes: [] })),
    unstored: [],
    comparedWith: null,
    ...changes,
  };
}

function resolved(outcome: Awaited<ReturnType<Resolver['resolve']>>): ResolvedStates {
  if (isRefusal(outcome)) throw new Error(outcome.error);
  return outcome;
}

describe('the resolver of the rooms', () => {
  let database: TestDatabase;
  let host: ActorHost<ActorMap> | undefined;
  let asked: string[];

  let large: Awaited<ReturnType<typeof makeWideRoom>>;

  // One database, for the large room takes its time; each test makes rooms of its own.
  before(async function () {
    this.timeout(LARGE_ROOM_TIMEOUT_MS);
    database = await createForkDatabase();
    large = await makeWideRoom(database, '11', LARGE);
  });
  beforeEach(() => {
    asked = [];
  });
  afterEach(async () => {
    await host?.stop();
    host = undefined;
  });
  after(() => database.close());

  /** A resolver whose messages to the pool are noted. */
  function resolverOver(pool: Pick<ActorRef<PoolProtocol>, 'ask'>): Resolver {
    const noted = {
      ask(message: 'pool.resolve-state', task: ResolutionTask, options: object) {
        asked.push(task.roomId);
        return pool.ask(message, task, options);
      },
    };
    return createResolver({ db: database.db, databasePath: database.path, pool: noted as typeof pool });
  }
  async function start(transport: Transport): Promise<Resolver> {
    host = await createActorHost<ActorMap, Environment>({
      transport,
      actors: [transport === 'same-thread' ? poolActor : POOL],
      env: {} as Environment,
    });
    return resolverOver(host.ref('pool'));
  }

  for (const transport of TRANSPORTS)
    it(`goes on with small rooms while a large one is resolved, ${transport}`, async function () {
      this.timeout(LARGE_ROOM_TIMEOUT_MS);
      const resolver = await start(transport);
      const small = await makeWideRoom(database, '11', 3);
      const answered: string[] = [];
      const note = async (name: string, task: Task): Promise<ResolvedStates> => {
        const outcome = resolved(await resolver.resolve(task));
        answered.push(name);
        return outcome;
      };
      const pending = note('large', taskOf(large.room, large.ends));
      for (let round = 0; round < 5; round += 1) {
        const outcome = await note('small', taskOf(small.room, small.ends));
        const base = small.room.stateAfter(small.ends[outcome.base] ?? '');
        expect(layOver(base, outcome.changes)).to.deep.equal(small.room.resolve(small.ends));
      }
      const outcome = await pending;
      expect(answered.at(-1), 'the large one was resolved while the small ones were').to.equal('large');
      expect(outcome.conflictedEvents).to.be.at.least(2 * LARGE);
      const base = large.room.stateAfter(large.ends[outcome.base] ?? '');
      expect(layOver(base, outcome.changes)).to.deep.equal(large.room.resolve(large.ends));
      expect(asked).to.deep.equal([large.room.roomId]);
    });

  const noPool = { ask: () => Promise.reject(new Error('the pool was asked')) } as Pick<
    ActorRef<PoolProtocol>,
    'ask'
  >;

  it('decides by the sum of the entries, those of what it is compared with included', async () => {
    const { room, ends } = await makeWideRoom(database, '11', Math.floor(INLINE_ENTRIES_MAX / 2) - 4);
    const other = await makeWideRoom(database, '11', 20);
    const resolver = resolverOver(noPool);
    expect((await resolver.resolve(taskOf(room, ends))).kind).to.equal('resolved');
    const again = taskOf(room, ends, { comparedWith: room.stateGroupAfter(ends[0]) });
    expect((await resolver.resolve(again)).kind, 'a group counts once').to.equal('resolved');
    const further = taskOf(room, ends, { comparedWith: other.room.stateGroupAfter(other.ends[0]) });
    const failure: unknown = await resolver.resolve(further).catch((error: unknown) => error);
    expect(String(failure)).to.include('the pool was asked');
    const changes = Array.from({ length: 20 }, (_, index) => ({
      type: 'test.laid-over',
      stateKey: `${index}`,
      eventId: null,
    }));
    const task = taskOf(room, ends);
    const wide = { ...task, branches: task.branches.map((branch) => ({ ...branch, changes })) };
    const second: unknown = await resolver.resolve(wide).catch((error: unknown) => error);
    expect(String(second)).to.include('the pool was asked');
  });

  it('hands a small state with long auth chains to the pool', async () => {
    const { room } = await makeWideRoom(database, '11', 1);
    const fork = room.newest;
    const user = '@user:example.com';
    const ends = ['left', 'right'].map((side) => {
      let last = fork;
      for (let index = 0; index < INLINE_EVENTS_MAX / 2 + 10; index += 1)
        last = room.add({
          type: 'm.room.member',
          stateKey: user,
          sender: user,
          content: { membership: 'join', displayname: `${side} ${index}` },
          prev: [last],
        });
      return last;
    });
    await room.flush();
    const resolver = resolverOver(noPool);
    const failure: unknown = await resolver.resolve(taskOf(room, ends)).catch((error: unknown) => error);
    expect(String(failure)).to.include('the pool was asked');
  });

  for (const reason of ['timed-out', 'stopped', 'mailbox-full'] as const)
    it(`refuses when the pool does not answer: ${reason}`, async () => {
      const { room, ends } = await makeWideRoom(database, '11', INLINE_ENTRIES_MAX);
      const resolver = resolverOver({
        ask: () => Promise.reject(new AskFailed(reason, 'pool', 'pool.resolve-state')),
      });
      const outcome = await resolver.resolve(taskOf(room, ends));
      expect(outcome).to.deep.include({ kind: 'refused', errcode: 'M_UNKNOWN', status: 503 });
      expect(outcome).to.have.nested.property('extra.retry_after_ms').that.is.a('number');
    });

  it('passes on that too much waits for the pool', async () => {
    const { room, ends } = await makeWideRoom(database, '11', INLINE_ENTRIES_MAX);
    const refusal = {
      kind: 'refused' as const,
      errcode: 'M_LIMIT_EXCEEDED' as const,
      error: 'x',
      status: 503,
    };
    const resolver = resolverOver({ ask: () => Promise.resolve(refusal as never) });
    expect(await resolver.resolve(taskOf(room, ends))).to.equal(refusal);
  });
});
