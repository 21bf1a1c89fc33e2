import { expect } from 'chai';
import { CONTENT_BYTES_MAX, TAGS_MAX } from '../../../actors/account-data/actor.ts';
import { findAccountData, findFilter } from '../../../db/account-data/reader.ts';
import { FILTERS_MAX, storeFilter } from '../../../db/account-data/writer.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { accountDataStream } from '../../../src/streams/account-data-stream.ts';
import { TRANSPORTS } from '../../support/actor-host.ts';
import { createOwnerWorld, type OwnerWorld } from '../../support/owner-world.ts';

const ROOM = '!room:example.com';
const ALICE = '@alice:example.com';

for (const transport of TRANSPORTS)
  describe(`the account-data actor, ${transport}`, () => {
    let world: OwnerWorld;
    beforeEach(async () => {
      world = await createOwnerWorld({ owners: ['account-data'], transport });
    });
    afterEach(() => world.stop());

    const actor = () => world.host.ref('account-data');
    const set = (type: string, content: JsonObject, roomId: string | null = null, userId = ALICE) =>
      actor().ask('account-data.set-content', { userId, roomId, type, content });
    const tag = (name: string, content: JsonObject | null, userId = ALICE) =>
      actor().ask('account-data.set-tag', { userId, roomId: ROOM, tag: name, content });
    const filter = (content: JsonObject, userId = ALICE) =>
      actor().ask('account-data.store-filter', { userId, filter: content });
    const find = async (type: string, roomId: string | null = null): Promise<unknown> => {
      const found = await findAccountData(world.database.db, ALICE, roomId, type);
      return found === undefined ? undefined : JSON.parse(found.content);
    };

    it('sets and replaces, of a room apart from global', async () => {
      expect(await set('m.x', { a: 1 })).to.deep.equal({ kind: 'stored', position: 1 });
      expect(await set('m.x', { b: 2 }, ROOM)).to.deep.equal({ kind: 'stored', position: 2 });
      expect(await set('m.x', {})).to.deep.equal({ kind: 'stored', position: 3 });
      expect([await find('m.x'), await find('m.x', ROOM)]).to.deep.equal([{}, { b: 2 }]);
      await world.host.idle();
      expect(world.rows(accountDataStream).map(({ row }) => row)).to.deep.equal([
        { userId: ALICE, roomId: null, type: 'm.x' },
        { userId: ALICE, roomId: ROOM, type: 'm.x' },
        { userId: ALICE, roomId: null, type: 'm.x' },
      ]);
    });

    it('tags from two devices at once lose nothing', async () => {
      const names = Array.from({ length: 20 }, (_, index) => `u.${index}`);
      await Promise.all([...names.map((name) => tag(name, { order: 0.5 })), tag('u.3', null)]);
      const kept = names.filter((name) => name !== 'u.3');
      expect(await find('m.tag', ROOM)).to.deep.equal({
        tags: Object.fromEntries(kept.map((name) => [name, { order: 0.5 }])),
      });
    });

    it('deleting a tag that is not there changes nothing', async () => {
      expect(await tag('u.none', null)).to.deep.equal({ kind: 'stored', position: 0 });
      expect(await find('m.tag', ROOM)).to.equal(undefined);
      await tag('__proto__', { order: 1 });
      expect(JSON.stringify(await find('m.tag', ROOM))).to.equal('{"tags":{"__proto__":{"order":1}}}');
    });

    it('bounds tags and contents, and says so', async () => {
      const full = Object.fromEntries(Array.from({ length: TAGS_MAX }, (_, index) => [`u.${index}`, {}]));
      await set('m.tag', { tags: full }, ROOM);
      expect(await tag('u.more', {})).to.deep.include({ errcode: 'M_TOO_LARGE', status: 400 });
      expect(await tag('u.5', { order: 0 })).to.deep.include({ kind: 'stored' });
      const large = { text: 'x'.repeat(CONTENT_BYTES_MAX) };
      expect(await set('m.large', large)).to.deep.include({ errcode: 'M_TOO_LARGE', status: 413 });
      expect(await find('m.large')).to.equal(undefined);
    });

    it('the same filter has the same id, also at once; another one another', async () => {
      const [one, same, other] = await Promise.all([
        filter({ room: { rooms: [ROOM] } }),
        filter({ room: { rooms: [ROOM] } }),
        filter({ room: {} }),
      ]);
      expect(one).to.deep.equal(same);
      expect(other).to.deep.equal({ kind: 'stored', filterId: '2' });
      expect(await filter({ room: {} }, '@bob:example.com'), 'every user counts from one').to.deep.equal({
        kind: 'stored',
        filterId: '1',
      });
      await world.restartServer();
      expect(await filter({ room: { rooms: [ROOM] } })).to.deep.equal(one);
      expect(await findFilter(world.database.db, ALICE, 1)).to.equal(`{"room":{"rooms":["${ROOM}"]}}`);
    });

    describe('copies what is said of a room', () => {
      const NEW = '!new';
      const BOB = '@bob:example.com';
      const copy = async (): Promise<void> => {
        actor().tell('account-data.copy-room', { userId: ALICE, fromRoomId: ROOM, toRoomId: NEW });
        await world.host.idle();
      };

      it('to the next one, in one write: tags and direct chats', async () => {
        await tag('u.work', { order: 0.5 });
        await set('m.direct', { [BOB]: ['!a', ROOM, '!b'], '@c:example.com': ['!a'] });
        await set('m.fully_read', { event_id: '$x' }, ROOM);
        const before = world.commits;
        await copy();
        expect(world.commits - before).to.equal(1);
        expect(await find('m.tag', NEW)).to.deep.equal({ tags: { 'u.work': { order: 0.5 } } });
        expect(await find('m.direct')).to.deep.equal({
          [BOB]: ['!a', ROOM, '!b', NEW],
          '@c:example.com': ['!a'],
        });
        expect(await find('m.fully_read', NEW)).to.equal(undefined);
        expect(world.rows(accountDataStream).slice(3)).to.deep.equal([
          { position: 4, row: { userId: ALICE, roomId: NEW, type: 'm.tag' } },
          { position: 5, row: { userId: ALICE, roomId: null, type: 'm.direct' } },
        ]);
        // Told again, it has nothing to do.
        await copy();
        expect(world.commits - before).to.equal(1);
      });

      it('and never over what the user has said of that one', async () => {
        await tag('u.work', {});
        await set('m.tag', { tags: {} }, NEW);
        await set('m.direct', { [BOB]: [NEW, ROOM], '@c:example.com': 'x' });
        await copy();
        expect(await find('m.tag', NEW)).to.deep.equal({ tags: {} });
        expect(await find('m.direct')).to.deep.equal({ [BOB]: [NEW, ROOM], '@c:example.com': 'x' });
        expect(world.commits).to.equal(3);
      });

      it('not while storage cannot be written', async () => {
        await tag('u.work', {});
        world.fault = 'disk-full';
        await copy();
        world.fault = null;
        expect(await find('m.tag', NEW)).to.equal(undefined);
        await copy();
        expect(await find('m.tag', NEW)).to.deep.equal({ tags: { 'u.work': {} } });
      });
    });

    it('refuses while storage cannot be written, and works again', async () => {
      world.fault = 'read-only';
      const answers = await Promise.all([set('m.x', {}), tag('u.a', {}), filter({})]);
      expect(answers.map((answer) => isRefusal(answer) && answer.status)).to.deep.equal([503, 503, 503]);
      world.fault = null;
      expect(await set('m.x', {})).to.deep.equal({ kind: 'stored', position: 1 });
    });

    it('4.4 the next position after a restart is above every one before', async () => {
      await set('m.x', { a: 1 });
      await set('m.x', { a: 2 });
      await world.deleteAll('account_data');
      await world.restartServer();
      expect(await set('m.y', {})).to.deep.equal({ kind: 'stored', position: 3 });
    });
  });

describe('the account-data actor', () => {
  let world: OwnerWorld;
  afterEach(() => world.stop());

  it('bounds the filters of a user, and still knows those it has', async () => {
    world = await createOwnerWorld({ owners: ['account-data'] });
    const texts = Array.from({ length: FILTERS_MAX - 1 }, (_, index) => `{"n":${index}}`);
    const steps = texts.flatMap((text) => storeFilter({ userId: ALICE, hash: text, filter: text }));
    await world.database.write.write({ owner: 'account-data', steps });
    const filter = (n: string) =>
      world.host.ref('account-data').ask('account-data.store-filter', { userId: ALICE, filter: { n } });
    const last = await filter('last');
    expect(last).to.deep.equal({ kind: 'stored', filterId: String(FILTERS_MAX) });
    expect(await filter('more')).to.deep.include({ kind: 'refused', errcode: 'M_FORBIDDEN' });
    expect(await filter('last')).to.deep.equal(last);
  });
});
