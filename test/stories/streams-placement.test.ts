import { expect } from 'chai';
import type { StreamReport } from '../../src/inspector/stream-report.ts';
import type { HttpClient } from '../support/http-client.ts';
import { clientOfUrl, type Person, personOf, register } from '../support/person.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 180_000;

/** A server that can be stopped and started; where its events are owned is none of the suite's business. */
interface House {
  readonly http: HttpClient;
  restart(): Promise<void>;
}

/** The same, for who decides where its actors live from the next start on. */
interface OpenHouse extends House {
  http: HttpClient;
  server: TroupeProcess;
  /** A TOML table. */
  placement: string;
}

async function openHouse(): Promise<OpenHouse> {
  const start = (placement: string, folder: { readonly folder?: string }): Promise<TroupeProcess> =>
    startTroupe({ gateways: 2, environment: { TROUPE_ACTORS_PLACEMENT: placement }, ...folder });
  const server = await start('{}', {});
  const house: OpenHouse = {
    server,
    http: clientOfUrl(server.url),
    placement: '{}',
    async restart() {
      house.http.close();
      expect(await house.server.stop(), house.server.output()).to.equal(0);
      house.server = await start(house.placement, { folder: server.folder });
      house.http = clientOfUrl(house.server.url);
    },
  };
  return house;
}

interface Known {
  readonly ann: Person;
  readonly roomId: string;
  /** Every text that was ever sent there. */
  readonly texts: readonly string[];
}

/** What a client may expect of every server, in short. Gives what later lives have to know still. */
async function expectGoodService(house: House, act: string): Promise<Known> {
  let [ann, bob] = [await register(house.http, `ann-${act}`), await register(house.http, `bob-${act}`)];
  const roomId = await ann.createRoom({ name: act, preset: 'private_chat' });
  const { next_batch: before } = await bob.sync();
  const invited = bob.sync(before, 20_000);
  await ann.invite(roomId, bob.userId);
  const { rooms, next_batch: atInvite } = await invited;
  expect(rooms?.invite).to.have.property(roomId);
  await bob.join(roomId);
  const joined = await bob.sync(atInvite, 20_000);
  expect(joined.rooms?.join).to.have.property(roomId);

  const woken = bob.sync(joined.next_batch, 20_000);
  const eventId = await ann.send(roomId, 'txn', `${act}: first`);
  expect(await ann.send(roomId, 'txn', `${act}: first`), 'the same transaction').to.equal(eventId);
  const first = (await woken).rooms?.join?.[roomId]?.timeline?.events ?? [];
  expect(first.map((event) => event.event_id)).to.deep.equal([eventId]);

  let { next_batch: since } = await ann.sync();
  await bob.type(roomId, true);
  const typing = await ann.sync(since, 20_000);
  expect(typing.rooms?.join?.[roomId]?.ephemeral?.events[0]?.content).to.deep.equal({
    user_ids: [bob.userId],
  });
  await bob.type(roomId, false);
  ({ next_batch: since } = await ann.sync(typing.next_batch, 20_000));
  await bob.receipt(roomId, eventId);
  const receipt = await ann.sync(since, 20_000);
  expect(receipt.rooms?.join?.[roomId]?.ephemeral?.events[0]?.type).to.equal('m.receipt');

  await house.restart();
  [ann, bob] = [personOf(house.http, ann.userId, ann.token), personOf(house.http, bob.userId, bob.token)];
  expect(await bob.readAll(roomId)).to.deep.equal([`${act}: first`]);
  const later = ann.sync(receipt.next_batch, 20_000);
  await bob.send(roomId, 'txn', `${act}: second`);
  expect(
    (await later).rooms?.join?.[roomId]?.timeline?.events.map(({ content }) => content['body']),
  ).to.deep.equal([`${act}: second`]);
  return { ann, roomId, texts: [`${act}: first`, `${act}: second`] };
}

/** Of the text of a token: the position of the events stream. */
function eventsPosition(token: string): number {
  return Number(/(?:^|_)s(\d+)/.exec(token)?.[1] ?? Number.NaN);
}

describe('streams, end to end: the owner of the events lives anywhere', function () {
  this.timeout(STORY_TIMEOUT_MS);

  it('1.1 the same suite passes and 1.7 no position is given twice, with rooms on the store thread, on one of its own, on main, and back', async () => {
    const house = await openHouse();
    const eventsStream = async (): Promise<StreamReport & { readonly thread: string }> => {
      const inspector = clientOfUrl(house.server.inspectorUrl);
      const read = async (name: string): Promise<readonly { readonly name: string }[]> => {
        const { body } = await inspector.get(`/_troupe/inspector/v1/${name}`);
        return (body as unknown as Record<string, readonly { readonly name: string }[]>)[name] ?? [];
      };
      const stream = (await read('streams')).find(({ name }) => name === 'events') as StreamReport;
      const owner = (await read('actors')).find(({ name }) => name === 'rooms') as unknown as {
        thread: string;
      };
      inspector.close();
      return { ...stream, thread: owner.thread };
    };
    const known: Known[] = [];
    let highest = 0;
    try {
      for (const [act, thread] of [
        ['store', 'store'],
        ['own', 'stage'],
        ['main', 'main'],
        ['back', 'store'],
      ] as const) {
        house.placement = thread === 'store' ? '{}' : `{ rooms = "${thread}" }`;
        await house.restart();
        const first = await eventsStream();
        expect(first.thread).to.equal(thread);
        expect(first.owner).to.equal('rooms');
        expect(first.published, act).to.be.at.least(highest);
        for (const { ann, roomId, texts } of known) {
          const self = personOf(house.http, ann.userId, ann.token);
          expect(eventsPosition((await self.sync()).next_batch)).to.be.at.least(highest);
          expect(await self.readAll(roomId)).to.deep.equal(texts);
        }
        known.push(await expectGoodService(house, act));
        const last = await eventsStream();
        expect(last.published).to.be.greaterThan(first.published);
        highest = last.published;
      }
      expect(await house.server.stop()).to.equal(0);
    } finally {
      house.http.close();
      await house.server.dispose();
    }
  });
});
