import { expect } from 'chai';
import type { Environment } from '../../../actors/environment.ts';
import type { ActorRef } from '../../../actors/kit/ref.ts';
import { poolActor } from '../../../actors/pool/actor.ts';
import type { PoolProtocol, ResolutionTask } from '../../../actors/pool/protocol.ts';
import type { ActorMap } from '../../../actors/protocols.ts';
import type { LogFields, Logger } from '../../../src/kit/logger.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { layOver } from '../../../src/state-resolution/stored-states.ts';
import { createForkDatabase, type ForkedRoom } from '../../src/state-resolution/forked-room.ts';
import { makeWideRoom } from '../../src/state-resolution/wide-room.ts';
import { type ActorHost, createActorHost } from '../../support/actor-host.ts';
import type { TestDatabase } from '../../support/database.ts';

describe('states on the pool', () => {
  let host: ActorHost<ActorMap>;
  let pool: ActorRef<PoolProtocol>;
  const databases: TestDatabase[] = [];
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

  beforeEach(async () => {
    lines.length = 0;
    const env = {} as Environment;
    host = await createActorHost<ActorMap, Environment>({
      transport: 'same-thread',
      actors: [poolActor],
      env,
      log,
    });
    pool = host.ref('pool');
  });
  afterEach(async () => {
    await host.stop();
    for (const database of databases.splice(0)) database.close();
  });

  async function open(): Promise<TestDatabase> {
    const database = await createForkDatabase();
    databases.push(database);
    return database;
  }
  const taskOf = (database: TestDatabase, room: ForkedRoom, ends: readonly string[]): ResolutionTask => ({
    databasePath: database.path,
    roomVersion: room.version.id,
    roomId: room.roomId,
    branches: ends.map((eventId) => ({ stateGroup: room.stateGroupAfter(eventId), changes: [] })),
    unstored: [],
    comparedWith: null,
  });

  it('are resolved from the database that each task names', async () => {
    for (const database of [await open(), await open()]) {
      const { room, ends } = await makeWideRoom(database, '11', 5);
      const outcome = await pool.ask('pool.resolve-state', taskOf(database, room, ends));
      if (isRefusal(outcome)) throw new Error(outcome.error);
      const base = room.stateAfter(ends[outcome.base] ?? '');
      expect(layOver(base, outcome.changes)).to.deep.equal(room.resolve(ends));
    }
  });

  it('see what was committed after the first task', async () => {
    const database = await open();
    for (let round = 0; round < 3; round += 1) {
      const { room, ends } = await makeWideRoom(database, '11', 2);
      expect((await pool.ask('pool.resolve-state', taskOf(database, room, ends))).kind).to.equal('resolved');
    }
  });

  it('that cannot be resolved are logged with their room, and harm nobody else', async () => {
    const database = await open();
    const { room, ends } = await makeWideRoom(database, '11', 5);
    const task = taskOf(database, room, ends);
    const changes = [{ type: 'test.entry', stateKey: 'key 4', eventId: '$nobody' }];
    const branches = [{ stateGroup: room.stateGroupAfter(ends[0]), changes }, ...task.branches];
    const outcome = await pool.ask('pool.resolve-state', { ...task, branches });
    expect(outcome).to.deep.include({ kind: 'refused', errcode: 'M_UNKNOWN', status: 500 });
    expect(lines.join('\n')).to.include(room.roomId).and.include('$nobody').and.not.include('crashed');
    expect((await pool.ask('pool.resolve-state', task)).kind).to.equal('resolved');
    expect(host.status().actors[0]?.restarts).to.equal(0);
  });

  it('of a database that is not there are refused too', async () => {
    const database = await open();
    const { room, ends } = await makeWideRoom(database, '11', 2);
    const task = taskOf(database, room, ends);
    const gone = { ...task, databasePath: `${database.path}.gone` };
    expect((await pool.ask('pool.resolve-state', task)).kind).to.equal('resolved');
    expect(await pool.ask('pool.resolve-state', gone)).to.deep.include({ kind: 'refused', status: 500 });
    const question = { roomId: room.roomId, databasePath: gone.databasePath };
    const why = { ...question, at: ends[0], type: 'test.entry', stateKey: 'key 1' };
    expect(await pool.ask('pool.explain-state', why)).to.deep.include({ kind: 'refused', status: 500 });
    const diff = { ...question, from: ends[0], to: ends[1], offset: 0, limit: 1 };
    expect(await pool.ask('pool.diff-states', diff)).to.deep.include({ kind: 'refused', status: 500 });
    expect((await pool.ask('pool.resolve-state', task)).kind).to.equal('resolved');
  });
});
