import { expect } from 'chai';
import {
  FETCH_BACKOFF,
  FETCH_INTERVAL_MS_MIN,
  FETCHES_AT_ONCE_MAX,
  FETCHES_WAITING_MAX,
  NOTARIES_FIRST_SERVERS_MIN,
} from '../../../actors/server-keys/key-fetcher.ts';
import type { FederationAnswer, FederationRequest } from '../../../src/federation/federation-client.ts';
import { readKeyDocument } from '../../../src/federation/trust/key-document.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { type ServerKey, signJson, verifyJson, verifyKeyOf } from '../../../src/matrix/signing.ts';
import { OWN_SERVER, ownerEnvironmentOver } from '../../support/owner-env.ts';
import {
  answered,
  DAY_MS,
  eachInKeyWorld,
  keyOf,
  NOTARY,
  NOTARYS,
  ONE,
  PEER,
  serve,
  TWO,
  UNREACHABLE,
} from './key-world.ts';

describe('server-keys actor', () => {
  const world = eachInKeyWorld();

  describe('asks notaries', () => {
    const notarised = (document: JsonObject, by: ServerKey = NOTARYS): JsonObject =>
      signJson(document, NOTARY, by);
    const withNotary =
      (documents: readonly JsonObject[], others: Readonly<Record<string, JsonObject>> = {}) =>
      (request: FederationRequest): FederationAnswer =>
        request.path === '/_matrix/key/v2/query'
          ? answered({ server_keys: documents })
          : serve({ [NOTARY]: world().saying(NOTARY, [NOTARYS]), ...others })(request);

    beforeEach(() => world().restart([OWN_SERVER, NOTARY]));

    it('where the server itself does not answer', async () => {
      world().answer = withNotary([notarised(world().saying(PEER, [ONE]))]);
      expect(await world().find(world().want(ONE))).to.deep.equal([ONE.keyId]);
      expect(world().asked()).to.deep.equal([`${PEER} server`, `${NOTARY} server`, `${NOTARY} query`]);
      expect(world().requests[2]?.body).to.deep.equal({
        server_keys: { [PEER]: { [ONE.keyId]: { minimum_valid_until_ts: world().clock.now() } } },
      });
    });

    it('where the server does not know a key any more, which may stand in several documents', async () => {
      const past = [
        world().saying(PEER, [ONE], { validUntilTs: 1_000 }),
        world().saying(PEER, [keyOf(4)], { validUntilTs: 2_000 }),
      ];
      world().answer = withNotary(
        past.map((one) => notarised(one)),
        { [PEER]: world().saying(PEER, [TWO]) },
      );
      expect(await world().find(world().want(ONE, 500), world().want(keyOf(4), 500))).to.deep.equal([
        ONE.keyId,
        keyOf(4).keyId,
      ]);
      world().requests.length = 0;
      expect(await world().find(world().want(ONE, 1_000)), 'known now').to.deep.equal([ONE.keyId]);
      expect(world().requests).to.deep.equal([]);
    });

    it('and believes nothing that they have not signed, or not been asked', async () => {
      const good = world().saying(PEER, [ONE]);
      for (const document of [
        good,
        notarised(good, TWO),
        notarised({ ...good, valid_until_ts: 5 }),
        notarised(world().saying('third.example', [ONE])),
        signJson(good, 'third.example', NOTARYS),
      ]) {
        await world().clock.advance(FETCH_BACKOFF.maxMs);
        world().answer = withNotary([document, null as unknown as JsonObject]);
        expect(await world().find(world().want(ONE)), JSON.stringify(document)).to.deep.equal([]);
        expect(world().asked().at(-1)).to.equal(`${NOTARY} query`);
      }
    });

    it('first, and for all in one request, when many servers are wanted', async () => {
      const names = Array.from({ length: NOTARIES_FIRST_SERVERS_MIN + 1 }, (_, index) => `n${index}.example`);
      const [last = ''] = names.slice(-1);
      world().answer = withNotary(
        names.slice(0, -1).map((name) => notarised(world().saying(name, [ONE]))),
        { [last]: world().saying(last, [ONE]) },
      );
      const found = await world().find(...names.map((name) => world().want(ONE, world().clock.now(), name)));
      expect(found).to.have.lengthOf(names.length);
      expect(world().asked()).to.deep.equal([`${NOTARY} server`, `${NOTARY} query`, `${last} server`]);
    });

    it('once for all who want the same servers at one time, and not again at once for what they do not know', async () => {
      const names = Array.from({ length: NOTARIES_FIRST_SERVERS_MIN * 3 }, (_, index) => `n${index}.example`);
      const wanted = names.map((name) => world().want(ONE, world().clock.now(), name));
      world().answer = withNotary(names.slice(1).map((name) => notarised(world().saying(name, [ONE]))));
      const finds = await Promise.all([
        world().find(...wanted),
        world().find(...wanted.slice(5)),
        world().find(...wanted.slice(0, 20)),
      ]);
      expect(finds.map(({ length }) => length)).to.deep.equal([names.length - 1, names.length - 5, 19]);
      const queried = () =>
        world()
          .requests.filter(({ path }) => path === '/_matrix/key/v2/query')
          .flatMap(({ body }) => Object.keys(body?.['server_keys'] ?? {}));
      // The one that nobody knows was asked for by itself as well, when it did not answer.
      expect(queried()).to.have.members([...names, names[0]]);
      await world().find(...wanted);
      expect(queried()).to.have.lengthOf(names.length + 1);
    });
  });

  describe('is a notary', () => {
    const read = async (
      keyIds: readonly string[] = [],
      validUntilTs = world().clock.now(),
      serverName = PEER,
    ) =>
      (
        await world().keys.ask('server-keys.read-documents', {
          wanted: [{ serverName, keyIds, validUntilTs }],
        })
      ).documents;

    it('that hands on what a server said, with its signature and ours', async () => {
      world().answer = serve({ [PEER]: world().saying(PEER, [ONE]) });
      const [document] = await read();
      if (document === undefined) throw new Error('no document');
      expect(readKeyDocument(document, PEER)?.keys).to.have.lengthOf(1);
      const ours = ownerEnvironmentOver(world().database.path);
      expect(verifyJson(document, OWN_SERVER, verifyKeyOf(ours.serverKey))).to.equal(true);
      ours.close();
      await read([ONE.keyId]);
      expect(world().requests).to.have.lengthOf(1);
    });

    it('that asks again for what is not there, after half of its time, or for what shall be good for longer', async () => {
      world().answer = serve({ [PEER]: world().saying(PEER, [ONE]) });
      await read();
      await world().clock.advance(DAY_MS / 2 - 1);
      await read();
      expect(world().requests).to.have.lengthOf(1);
      await read([TWO.keyId]);
      expect(world().requests, 'another key').to.have.lengthOf(2);
      // Of what was left when it was asked for last.
      await world().clock.advance(DAY_MS / 4);
      await read();
      expect(world().requests).to.have.lengthOf(2);
      await world().clock.advance(1);
      await read();
      expect(world().requests, 'half of its time').to.have.lengthOf(3);
      await world().clock.advance(FETCH_INTERVAL_MS_MIN);
      await read([], world().clock.now() + DAY_MS);
      expect(world().requests, 'longer').to.have.lengthOf(4);
    });

    it('that goes on with what it has when the server is gone, and says nothing of servers it never heard of', async () => {
      world().answer = serve({ [PEER]: world().saying(PEER, [ONE]) });
      await read();
      world().answer = () => UNREACHABLE;
      await world().clock.advance(30 * DAY_MS);
      expect(await read()).to.have.lengthOf(1);
      expect(await read([], world().clock.now(), 'gone.example')).to.deep.equal([]);
      await world().restart();
      expect(await read()).to.have.lengthOf(1);
    });

    it('with a bound that does not touch who needs keys for events', async () => {
      const release = world().hang();
      const room = FETCHES_AT_ONCE_MAX.others + FETCHES_WAITING_MAX.others;
      const wanted = Array.from({ length: room }, (_, index) => ({
        serverName: `n${index}.example`,
        keyIds: [],
        validUntilTs: 0,
      }));
      const hanging = world().keys.ask('server-keys.read-documents', { wanted });
      await world().clock.settle();
      expect(world().requests).to.have.lengthOf(FETCHES_AT_ONCE_MAX.others);
      expect(await read([], 0, 'more.example')).to.deep.equal([]);
      world().answer = serve({ [PEER]: world().saying(PEER, [ONE]) });
      expect(await world().find(world().want(ONE))).to.deep.equal([ONE.keyId]);
      release();
      expect((await hanging).documents).to.deep.equal([]);
    });
  });
});
