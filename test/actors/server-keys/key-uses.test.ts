import { expect } from 'chai';
import { forgetUnusedKeys, noteKeyUse } from '../../../db/server-keys/use-writer.ts';
import { storeDocument, storeKeys } from '../../../db/server-keys/writer.ts';
import { findKeyDocument, readServerKeys } from '../../../db/server-keys/reader.ts';
import { defineQuery } from '../../../db/kit/query.ts';
import { eachInKeyWorld, ONE, PEER, serve } from './key-world.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const usesOfKeys = defineQuery<
  Record<string, never>,
  { readonly serverName: string; readonly eventUseTs: number; readonly useTs: number }
>({
  name: 'test.uses-of-keys',
  sql: 'SELECT server_name AS serverName, event_use_ts AS eventUseTs, use_ts AS useTs FROM server_key_uses',
  scans: ['server_key_uses'],
});

describe('the keys of other servers that are stored', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(() => database.close());

  const write = (steps: Parameters<TestDatabase['write']['write']>[0]['steps']): Promise<unknown> =>
    database.write.write({ streams: [], steps } as never);
  const store = async (
    name: string,
    use: { readonly events?: number; readonly any: number },
  ): Promise<void> => {
    const key = { keyId: 'ed25519:1', publicKey: new Uint8Array(32), validUntilTs: 1, isOld: false };
    await write([
      ...storeKeys(name, [key]),
      storeDocument(name, { text: '{}', validUntilTs: 1, now: 1 }),
      noteKeyUse(name, false, use.any),
      ...(use.events === undefined ? [] : [noteKeyUse(name, true, use.events)]),
    ]);
  };
  const left = async (names: readonly string[]): Promise<readonly string[]> => {
    const kept: string[] = [];
    for (const name of names) {
      const keys = await readServerKeys(database.db, name);
      const document = await findKeyDocument(database.db, name);
      expect(keys.length > 0, name).to.equal(document !== undefined);
      if (keys.length > 0) kept.push(name);
    }
    return kept;
  };

  it('are forgotten beyond a number: first those that no event has needed, then those that one needed longest ago', async () => {
    await store('never.newest.example', { any: 9 });
    await store('events.old.example', { any: 2, events: 2 });
    await store('events.new.example', { any: 3, events: 3 });
    await store('never.old.example', { any: 1 });
    const all = ['events.new.example', 'events.old.example', 'never.newest.example', 'never.old.example'];
    await write(forgetUnusedKeys(4));
    expect(await left(all)).to.deep.equal(all);
    await write(forgetUnusedKeys(3));
    expect(await left(all)).to.deep.equal(all.slice(0, 3));
    await write(forgetUnusedKeys(1));
    expect(await left(all)).to.deep.equal(all.slice(0, 1));
  });
});

describe('server-keys actor', () => {
  const world = eachInKeyWorld();
  const usesOf = () => world().database.db.all(usesOfKeys, {});

  it('notes which keys events need, once a day, and which others do', async () => {
    world().answer = serve({ [PEER]: world().saying(PEER, [ONE]) });
    const wanted = [world().want(ONE)];
    await world().keys.ask('server-keys.find-keys', { wanted, isCalling: true });
    const startTs = world().clock.now();
    expect(await usesOf()).to.deep.equal([{ serverName: PEER, eventUseTs: 0, useTs: startTs }]);
    await world().clock.advance(1_000);
    await world().keys.ask('server-keys.find-keys', { wanted });
    await world().database.write.settled();
    const usedTs = world().clock.now();
    expect(await usesOf()).to.deep.equal([{ serverName: PEER, eventUseTs: usedTs, useTs: usedTs }]);
    await world().clock.advance(1_000);
    await world().keys.ask('server-keys.find-keys', { wanted });
    await world().database.write.settled();
    expect(await usesOf()).to.deep.equal([{ serverName: PEER, eventUseTs: usedTs, useTs: usedTs }]);
  });
});
