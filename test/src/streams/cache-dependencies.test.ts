import { expect } from 'chai';
import { openReadConnection } from '../../../db/kit/sqlite.ts';
import type { FactName } from '../../../src/streams/fact.ts';
import { createTestDatabase } from '../../support/database.ts';
import {
  type AnyCache,
  countDefinitions,
  FACTS_BY_TABLE,
  findFaults,
  loadCaches,
  requiredFacts,
  tablesOf,
} from './cache-dependencies.ts';

const caches = await loadCaches();

describe('what caches depend on', () => {
  it('7.9 every cache of the program is looked at, and has a name of its own', () => {
    expect(caches.length).to.equal(countDefinitions());
    expect(caches.length).to.be.greaterThan(5);
    expect(new Set(caches.map(({ name }) => name)).size).to.equal(caches.length);
  });

  it('7.9 it is known of every table which facts make a copy of it untrue', async () => {
    const database = await createTestDatabase();
    const connection = openReadConnection(database.path);
    const tables = connection
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .all() as { readonly name: string }[];
    connection.close();
    database.close();
    const known = Object.keys(FACTS_BY_TABLE).filter((entry) => !entry.includes('.'));
    const migrations = tables.filter(({ name }) => !known.includes(name)).map(({ name }) => name);
    expect(migrations.filter((name) => !name.includes('migration'))).to.deep.equal([]);
  });

  for (const cache of caches) {
    it(`7.9 ${cache.name} depends on the facts of what it reads`, () => {
      expect(findFaults(cache)).to.deep.equal([]);
    });
    for (const fact of requiredFacts(cache))
      it(`7.9 without ${fact}, ${cache.name} would be found stale`, () => {
        const { [fact]: _, ...rest } = cache.dependsOn;
        expect(findFaults({ ...cache, dependsOn: rest })).to.include(
          `${cache.name} does not depend on ${fact}`,
        );
      });
  }

  it('7.9 every cache that reads current state is in the expansion of a poke', () => {
    const readers = caches.filter(({ reads }) =>
      reads.some(({ sql }) => tablesOf(sql).includes('current_state')),
    );
    expect(readers.length).to.be.greaterThan(0);
    for (const cache of readers) {
      const drops = cache.dependsOn['room-changed']?.({
        fact: 'room-changed',
        roomId: '!r',
        members: ['@m:x'],
      });
      expect(drops, cache.name).to.satisfy((keys: readonly string[] | 'all') => keys.length > 0);
    }
  });

  it('7.9 finds the tables of a statement, not the names that it makes up', () => {
    const sql = `WITH RECURSIVE chain(id) AS (SELECT state_group FROM state_groups) SELECT *
      FROM chain JOIN events e ON e.state_group = chain.id, json_each(:ids)
      LEFT JOIN (SELECT room_nid FROM rooms) r ON 1`;
    expect(tablesOf(sql)).to.deep.equal(['events', 'rooms', 'state_groups']);
  });

  it('7.9 a table or column without facts cannot be cached', () => {
    const made = (sql: string, dependsOn: AnyCache['dependsOn'] = {}): AnyCache => ({
      name: 'made-up',
      sizeMax: 1,
      load: () => Promise.resolve(1),
      reads: [{ name: 'made.up', sql }],
      dependsOn,
    });
    expect(findFaults(made('SELECT room_version FROM rooms'))).to.deep.equal([]);
    expect(findFaults(made('SELECT event_nid FROM forward_extremities'))).to.have.length(1);
    expect(findFaults(made('SELECT * FROM new_table'))).to.have.length(1);
    expect(findFaults(made('SELECT redacted_by FROM events'))).to.deep.equal([
      'made-up does not depend on event',
    ]);
    const facts: readonly FactName[] = requiredFacts(made('SELECT * FROM current_state'));
    expect(facts).to.deep.equal(['room-state', 'room-changed']);
  });
});
