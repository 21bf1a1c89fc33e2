import { expect } from 'chai';
import type { Environment } from '../../../actors/environment.ts';
import type { ActorMap } from '../../../actors/protocols.ts';
import {
  CHECKED_HERE_MAX,
  EVENTS_PER_TASK_MAX,
  OWN_DOCUMENT_KEPT_MS,
} from '../../../actors/server-keys/actor.ts';
import { loadIdentity } from '../../../db/identity/identity.ts';
import { OWN_KEYS_VALID_MS, readKeyDocument } from '../../../src/federation/trust/key-document.ts';
import type { Json, JsonObject } from '../../../src/kit/json.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { createActorHost, TRANSPORTS } from '../../support/actor-host.ts';
import { createTestDatabase } from '../../support/database.ts';
import { FOREIGN_KEY, makeForeignRoom } from '../../support/foreign-room.ts';
import { OWN_SERVER, ownerEnvironmentOver } from '../../support/owner-env.ts';
import { committerOf, DAY_MS, eachInKeyWorld, ONE, PEER, serve } from './key-world.ts';

const MODULE = {
  module: new URL('../../../actors/server-keys/actor.ts', import.meta.url).href,
  exportName: 'serverKeysActor',
};
const POOL_MODULE = {
  module: new URL('../../../actors/pool/actor.ts', import.meta.url).href,
  exportName: 'poolActor',
};

describe('server-keys actor', () => {
  const world = eachInKeyWorld();

  describe('publishes its own keys', () => {
    const readOwn = async () =>
      readKeyDocument(await world().keys.ask('server-keys.read-own', null), OWN_SERVER);
    const identity = () =>
      loadIdentity(world().database.db, world().database.write, {
        serverName: OWN_SERVER,
        clock: world().clock,
        random: seededRandom(world().clock.now()),
      });

    it('signed, and written anew in time', async () => {
      const own = await identity();
      const first = await readOwn();
      expect(first?.keys.map(({ keyId }) => keyId)).to.deep.equal([own.keyId]);
      expect(first?.validUntilTs).to.equal(world().clock.now() + OWN_KEYS_VALID_MS);
      await world().clock.advance(OWN_DOCUMENT_KEPT_MS - 1);
      expect((await readOwn())?.json, 'as it was').to.deep.equal(first?.json);
      await world().clock.advance(1);
      expect((await readOwn())?.validUntilTs).to.equal(world().clock.now() + OWN_KEYS_VALID_MS);
    });

    it('and a new one at once, which signs from the next start on, when the old one is retired', async () => {
      const old = await identity();
      await readOwn();
      await world().clock.advance(1);
      const added = await world().keys.ask('server-keys.add-own-key', null);
      if (isRefusal(added)) throw new Error(added.error);
      expect((await readOwn())?.keys.map(({ keyId, isOld }) => [keyId, isOld])).to.deep.equal([
        [old.keyId, false],
        [added.keyId, false],
      ]);
      await world().clock.advance(1);
      const next = await identity();
      expect(next.keyId).to.equal(added.keyId);
      await world().restart();
      expect(
        (await readOwn())?.keys.map(({ keyId, isOld, validUntilTs }) => [keyId, isOld && validUntilTs]),
      ).to.deep.equal([
        [added.keyId, false],
        [old.keyId, world().clock.now()],
      ]);
      expect((await identity()).keyId, 'and so it stays').to.equal(added.keyId);
      expect(
        await world().find(world().want(old, world().clock.now(), OWN_SERVER)),
        'events it has signed are still right',
      ).to.deep.equal([old.keyId]);
    });
  });

  describe('checks events', () => {
    const room = makeForeignRoom();
    const sent = Array.from({ length: EVENTS_PER_TASK_MAX * 2 + 10 }, (_, index) =>
      room.build({ sender: room.creator, type: 'm.room.message', content: { body: `number ${index}` } }),
    );
    const events = sent.map(({ json }) => JSON.parse(json) as JsonObject);

    beforeEach(() => {
      world().answer = serve({
        'other.example': world().saying('other.example', [FOREIGN_KEY], {
          validUntilTs: world().clock.now() + 1_000 * DAY_MS,
        }),
      });
    });

    for (const [where, count] of [
      ['here', CHECKED_HERE_MAX],
      ['on the pool, in parts', sent.length],
    ] as const) {
      it(`${where}: one outcome each, in order`, async function () {
        this.timeout(20_000);
        const given = events.slice(0, count);
        const odd = given.map((event, index) => (index % 5 === 3 ? { ...event, depth: -1 } : event));
        const outcome = await world().keys.ask('server-keys.check-events', {
          roomVersion: room.version,
          events: odd,
        });
        if (isRefusal(outcome)) throw new Error(outcome.error);
        expect(
          outcome.events.map((one) => (one.kind === 'valid' ? one.event.eventId : one.kind)),
        ).to.deep.equal(
          sent.slice(0, count).map(({ eventId }, index) => (index % 5 === 3 ? 'invalid' : eventId)),
        );
        expect(world().requests).to.have.lengthOf(1);
      });
    }

    it('without one that nests too deep harming those beside it', async function () {
      this.timeout(20_000);
      const deep = JSON.parse('['.repeat(20_000) + ']'.repeat(20_000)) as Json;
      for (const count of [3, CHECKED_HERE_MAX + 3]) {
        const some = events
          .slice(0, count)
          .map((event, index) => (index === 1 ? { ...event, content: { deep } } : event));
        const outcome = await world().keys.ask('server-keys.check-events', {
          roomVersion: room.version,
          events: some,
        });
        if (isRefusal(outcome)) throw new Error(outcome.error);
        expect(outcome.events.map(({ kind }) => kind)).to.deep.equal(
          some.map((_, index) => (index === 1 ? 'invalid' : 'valid')),
        );
      }
    });

    it('of no room version that is not known, and an empty list without effort', async () => {
      const ask = (roomVersion: string) =>
        world().keys.ask('server-keys.check-events', { roomVersion, events: [] });
      expect(await ask('nope')).to.include({ kind: 'refused', errcode: 'M_UNSUPPORTED_ROOM_VERSION' });
      expect(await ask('11')).to.deep.equal({ kind: 'checked', events: [] });
      expect(world().requests).to.deep.equal([]);
    });
  });

  it('goes on when nothing can be written', async () => {
    world().answer = serve({ [PEER]: world().saying(PEER, [ONE]) });
    world().database.write.write = () =>
      Promise.resolve({ kind: 'unavailable', fault: 'disk-full', detail: 'of the test' });
    expect(await world().find(world().want(ONE))).to.deep.equal([ONE.keyId]);
    expect(isRefusal(await world().keys.ask('server-keys.add-own-key', null))).to.equal(true);
  });
});

for (const transport of TRANSPORTS) {
  it(`server-keys actor, ${transport}: reads its keys and checks events`, async () => {
    const database = await createTestDatabase();
    const env = ownerEnvironmentOver(database.path);
    const host = await createActorHost<ActorMap, Environment>({
      transport,
      actors: [POOL_MODULE, committerOf(database), MODULE],
      env,
      workerEnv: {
        module: new URL('../../support/owner-env.ts', import.meta.url).href,
        exportName: 'ownerEnvironment',
      },
      workerData: database.path,
    });
    const added = await host.ref('server-keys').ask('server-keys.add-own-key', null);
    expect(added).to.include({ kind: 'added' });
    const own = await host.ref('server-keys').ask('server-keys.read-own', null);
    expect(readKeyDocument(own, OWN_SERVER)?.keys).to.have.lengthOf(1);
    const checked = await host
      .ref('server-keys')
      .ask('server-keys.check-events', { roomVersion: '11', events: [{}, { sender: 1 }] });
    expect(checked).to.deep.include({ kind: 'checked' });
    await host.stop();
    env.close();
    database.close();
  });
}
