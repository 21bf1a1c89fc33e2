import { expect } from 'chai';
import {
  CALLER_BACKOFF_MS_MAX,
  FETCH_BACKOFF,
  FETCH_INTERVAL_MS_MIN,
  FETCHES_AT_ONCE_MAX,
  FETCHES_WAITING_MAX,
} from '../../../actors/server-keys/key-fetcher.ts';
import type { WantedKey } from '../../../actors/server-keys/protocol.ts';
import { loadIdentity } from '../../../db/identity/identity.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import { OWN_SERVER } from '../../support/owner-env.ts';
import { answered, DAY_MS, eachInKeyWorld, ONE, PEER, publicOf, serve, TWO } from './key-world.ts';

describe('server-keys actor', () => {
  const world = eachInKeyWorld();

  describe('finds keys', () => {
    it('at their server once, and then in what is stored, also after a restart', async () => {
      world().answer = serve({ [PEER]: world().saying(PEER, [ONE, TWO]) });
      const found = await world().keys.ask('server-keys.find-keys', {
        wanted: [world().want(ONE), world().want(TWO)],
      });
      expect(found).to.deep.equal({
        found: [ONE, TWO].map((one) => ({
          serverName: PEER,
          keyId: one.keyId,
          publicKey: publicOf(one),
          validUntilTs: world().clock.now() + DAY_MS,
        })),
      });
      expect(world().requests).to.have.lengthOf(1);
      expect(world().requests[0]).to.include({
        destination: PEER,
        method: 'GET',
        isSigned: false,
        isProbe: false,
      });
      await world().restart();
      expect(await world().find(world().want(TWO))).to.deep.equal([TWO.keyId]);
      expect(world().requests).to.have.lengthOf(1);
    });

    it('again when they are too old for what they shall have signed', async () => {
      world().answer = serve({ [PEER]: world().saying(PEER, [ONE]) });
      await world().find(world().want(ONE));
      await world().clock.advance(DAY_MS + 1);
      expect(await world().find(world().want(ONE, world().clock.now() - DAY_MS)), 'good then').to.deep.equal([
        ONE.keyId,
      ]);
      expect(world().requests).to.have.lengthOf(1);
      world().answer = serve({
        [PEER]: world().saying(PEER, [TWO], { old: [[ONE, world().clock.now() - 7]] }),
      });
      const { found } = await world().keys.ask('server-keys.find-keys', { wanted: [world().want(ONE)] });
      expect(found[0]?.validUntilTs, 'rotated meanwhile').to.equal(world().clock.now() - 7);
      await world().clock.advance(FETCH_INTERVAL_MS_MIN);
      expect(await world().find(world().want(ONE)), 'an old key does not change any more').to.deep.equal([
        ONE.keyId,
      ]);
      expect(world().requests).to.have.lengthOf(2);
      await world().restart();
      expect(
        (await world().keys.ask('server-keys.find-keys', { wanted: [world().want(ONE)] })).found[0]
          ?.validUntilTs,
      ).to.equal(world().clock.now() - 7 - FETCH_INTERVAL_MS_MIN);
    });

    it('for all who ask at one time with one request', async () => {
      let release: (() => void) | undefined;
      const document = world().saying(PEER, [ONE]);
      world().answer = () => new Promise((resolve) => (release = () => resolve(answered(document))));
      const finds = Array.from({ length: 20 }, () => world().find(world().want(ONE)));
      await world().clock.settle();
      expect(world().requests).to.have.lengthOf(1);
      release?.();
      expect(await Promise.all(finds)).to.deep.equal(finds.map(() => [ONE.keyId]));
      expect(world().requests).to.have.lengthOf(1);
    });

    it('not by asking again and again for one that is not there', async () => {
      world().answer = serve({ [PEER]: world().saying(PEER, [ONE]) });
      expect(await world().find(world().want(TWO))).to.deep.equal([]);
      expect(await world().find(world().want(TWO), world().want(ONE))).to.deep.equal([ONE.keyId]);
      expect(world().requests).to.have.lengthOf(1);
      await world().clock.advance(FETCH_INTERVAL_MS_MIN);
      world().answer = serve({ [PEER]: world().saying(PEER, [TWO, ONE]) });
      expect(await world().find(world().want(TWO))).to.deep.equal([TWO.keyId]);
      expect(world().requests).to.have.lengthOf(2);
    });

    it('of a server that is down with longer and longer pauses, and shorter ones when it is calling', async () => {
      for (let failures = 1; failures <= 4; failures += 1) {
        expect(await world().find(world().want(ONE))).to.deep.equal([]);
        expect(await world().find(world().want(ONE))).to.deep.equal([]);
        expect(world().requests).to.have.lengthOf(failures);
        const waitMs = FETCH_BACKOFF.initialMs * FETCH_BACKOFF.factor ** (failures - 1);
        await world().clock.advance(waitMs * 0.79);
        await world().find(world().want(ONE));
        expect(world().requests, 'not before').to.have.lengthOf(failures);
        await world().clock.advance(waitMs * 0.21);
      }
      for (let count = 0; count < 5; count += 1) {
        await world().find(world().want(ONE));
        await world().clock.advance(FETCH_BACKOFF.maxMs);
      }
      await world().find(world().want(ONE));
      world().requests.length = 0;
      world().answer = serve({ [PEER]: world().saying(PEER, [ONE]) });
      await world().clock.advance(CALLER_BACKOFF_MS_MAX);
      expect(await world().find(world().want(ONE)), 'not due').to.deep.equal([]);
      const { found } = await world().keys.ask('server-keys.find-keys', {
        wanted: [world().want(ONE)],
        isCalling: true,
      });
      expect(found.map(({ keyId }) => keyId)).to.deep.equal([ONE.keyId]);
      expect(
        world().requests.map(({ isProbe }) => isProbe),
        'though it counts as out of reach',
      ).to.deep.equal([true]);
    });

    it('with a bound on what runs and waits, apart for who is calling', async () => {
      const release = world().hang();
      const nth = (index: number): WantedKey => world().want(ONE, world().clock.now(), `n${index}.example`);
      const room = FETCHES_AT_ONCE_MAX.caller + FETCHES_WAITING_MAX.caller;
      const open: Promise<unknown>[] = [];
      for (let index = 0; index < room; index += 1)
        open.push(
          world()
            .keys.ask('server-keys.find-keys', { wanted: [nth(index)], isCalling: true })
            .catch(() => undefined),
        );
      await world().clock.settle();
      expect(world().requests).to.have.lengthOf(FETCHES_AT_ONCE_MAX.caller);
      const { found } = await world().keys.ask('server-keys.find-keys', {
        wanted: [nth(room)],
        isCalling: true,
      });
      expect(found, 'at once').to.deep.equal([]);
      world().answer = serve({ [PEER]: world().saying(PEER, [ONE]) });
      expect(await world().find(world().want(ONE)), 'events do not wait behind them').to.deep.equal([
        ONE.keyId,
      ]);
      release();
      await Promise.all(open);
      expect(world().requests, 'those that waited had their turn').to.have.lengthOf(room + 1);
    });

    it('of this server among its own, and never asks itself', async () => {
      const own = await loadIdentity(world().database.db, world().database.write, {
        serverName: OWN_SERVER,
        clock: world().clock,
        random: seededRandom(1),
      });
      expect(
        await world().find(
          world().want(own, world().clock.now(), OWN_SERVER),
          world().want(ONE, world().clock.now(), OWN_SERVER),
        ),
      ).to.deep.equal([own.keyId]);
      expect(world().requests).to.deep.equal([]);
    });
  });
});
