import { expect } from 'chai';
import { type HttpAnswer, pathOf } from '../../../../support/http-client.ts';
import { openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';

const TYPE = 'org.example.x';

describe('account data that is deleted', () => {
  let world: SyncWorld;
  let alice: Person;
  let room: string;

  beforeEach(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    room = await alice.room();
  });
  afterEach(() => world.stop());

  const outcomeOf = ({ status, body }: HttpAnswer): string =>
    status === 200 ? '200' : `${status} ${(body as { errcode: string }).errcode}`;
  const pathIn = (roomId: string | null, type = TYPE, userId = alice.userId): string =>
    roomId === null
      ? pathOf`/user/${userId}/account_data/${type}`
      : pathOf`/user/${userId}/rooms/${roomId}/account_data/${type}`;
  /** What a sync of a room and of everything else says of the type. */
  const told = (synced: Awaited<ReturnType<Person['sync']>>): unknown[] => {
    const events = [
      ...(synced.account_data?.events ?? []),
      ...(synced.rooms?.join?.[room]?.account_data?.events ?? []),
    ] as { type: string; content: unknown }[];
    return events.filter(({ type }) => type === TYPE).map(({ content }) => content);
  };

  const WAYS = {
    'by DELETE': (path: string) => alice.http.delete(`/_matrix/client/v3${path}`),
    'by DELETE of the proposal': (path: string) =>
      alice.http.delete(`/_matrix/client/unstable/org.matrix.msc3391${path}`),
    'by an empty content': (path: string) => alice.http.put(`/_matrix/client/v3${path}`, {}),
  };
  for (const [way, remove] of Object.entries(WAYS))
    for (const where of ['global', 'of a room'])
      it(`${way}, ${where}, is told once as empty, and is gone`, async () => {
        const path = pathIn(where === 'global' ? null : room);
        await alice.put(path, { a: 1 });
        expect(told(await alice.next())).to.deep.equal([{ a: 1 }]);
        expect(outcomeOf(await remove(path))).to.equal('200');
        expect(told(await alice.next())).to.deep.equal([{}]);
        expect(told(await alice.next())).to.deep.equal([]);
        const gone = await alice.http.get(`/_matrix/client/v3${path}`);
        expect(outcomeOf(gone)).to.equal('404 M_NOT_FOUND');
        expect(told(await alice.sync()), 'a first sync').to.deep.equal([]);
        await alice.put(path, { b: 2 });
        expect(told(await alice.next())).to.deep.equal([{ b: 2 }]);
        expect(await alice.get(path)).to.deep.equal({ b: 2 });
      });

  it('again, or that never was, is told to nobody', async () => {
    await alice.next();
    for (const path of [pathIn(null), pathIn(room)])
      expect(outcomeOf(await alice.http.delete(`/_matrix/client/v3${path}`))).to.equal('200');
    expect(told(await alice.next())).to.deep.equal([]);
    await alice.put(pathIn(null), { a: 1 });
    await alice.http.delete(`/_matrix/client/v3${pathIn(null)}`);
    await alice.next();
    await alice.http.delete(`/_matrix/client/v3${pathIn(null)}`);
    expect(told(await alice.next())).to.deep.equal([]);
  });

  it('is one’s own, and not the server’s', async () => {
    for (const roomId of [null, room]) {
      const theirs = pathIn(roomId, TYPE, '@bob:example.org');
      expect(outcomeOf(await alice.http.delete(`/_matrix/client/v3${theirs}`))).to.equal('403 M_FORBIDDEN');
      for (const type of ['m.push_rules', 'm.fully_read']) {
        const answer = await alice.http.delete(`/_matrix/client/v3${pathIn(roomId, type)}`);
        expect(outcomeOf(answer)).to.equal('405 M_BAD_JSON');
      }
    }
  });
});
