import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { streams } from '../../../src/streams/registry.ts';
import { createThreadCaches } from '../../../src/streams/cache-store.ts';
import { createThreadViews } from '../../../src/streams/thread-views.ts';
import type { ThreadViews } from '../../../src/streams/view.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createFigures } from './figures.ts';
import { findGaps, loadStreams } from './stream-files.ts';

const ACTORS = join(import.meta.dirname, '../../../actors');
const defined = await loadStreams();
const owners = [...new Set(streams.map(({ owner }) => owner))].filter((owner) =>
  existsSync(join(ACTORS, owner, 'actor.ts')),
);

describe('stream registry', () => {
  let database: TestDatabase;
  let views: ThreadViews;

  beforeEach(async () => {
    database = await createTestDatabase();
    const { metrics } = createFigures();
    const { db } = database;
    const caches = createThreadCaches({ db, metrics });
    const clock = createFakeClock();
    views = createThreadViews({ subscriber: 'views@test', db, caches, clock, metrics, log: silentLogger });
  });
  afterEach(() => {
    views.close();
    database.close();
  });

  it('2.2 names every stream that is defined, each with an owner, no letter twice', () => {
    expect(findGaps(streams, defined, owners)).to.deep.equal([]);
    expect(defined.length).to.be.greaterThan(9);
  });

  for (const stream of streams)
    it(`2.2 without ${stream.name} it would be found incomplete`, () => {
      const mutated = streams.filter((each) => each !== stream);
      expect(findGaps(mutated, defined, owners)).to.deep.equal([
        `${stream.name} is defined and not registered`,
      ]);
    });

  it('2.2 each component of the sync token is exactly one stream that every thread subscribes to', () => {
    const subscribed = views.subscriptions().flatMap((each) => each.streams);
    const lettered = streams.flatMap(({ name, letter }) => (letter === null ? [] : [name]));
    expect(Object.keys(views.now().positions)).to.have.members(lettered);
    expect(subscribed).to.have.members(streams.map(({ name }) => name));
    for (const { owner, streams: of } of views.subscriptions())
      for (const name of of) expect(streams.find((each) => each.name === name)?.owner).to.equal(owner);
  });

  it('2.2 what clients wait for is followed with its rows, not by position only', () => {
    const bare = views.subscriptions().flatMap((each) => each.positionsOnly);
    for (const { name, letter } of streams) if (letter !== null) expect(bare).to.not.include(name);
  });

  for (const stream of streams)
    it(`2.1 ${stream.name} answers its token before the first row, after a reset and while catching up`, () => {
      const token = (): number => views.currentToken(stream.name);
      const header = { stream: stream.name, owner: stream.owner };
      expect(token()).to.equal(0);
      const epoch = stream.kind === 'memory' ? 7 : 0;
      views.receivePosition({ ...header, epoch, prev: 0, position: 0 });
      expect([views.epoch(stream.name), token()]).to.deep.equal([epoch, 0]);
      views.receivePosition({ ...header, epoch, prev: 0, position: 4 });
      expect(token()).to.equal(4);
      views.receivePosition({ ...header, epoch, prev: 9, position: 9 });
      expect(token()).to.equal(4);
      views.disconnect(stream.owner);
      expect(token()).to.equal(4);
    });

  it('2.1 a name that is no stream is a mistake, not a zero', () => {
    expect(() => views.currentToken('nothing')).to.throw('no such stream');
  });
});
