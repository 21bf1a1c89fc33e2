import type { Query, SqlParams } from '../../../db/kit/query.ts';
import type { ReadDb } from '../../../db/kit/read-db.ts';

/** Counts the reads that go to the database; a snapshot is one. */
export function countReads(db: ReadDb): { readonly db: ReadDb; readonly reads: () => number } {
  let reads = 0;
  const counted: ReadDb = {
    all<P extends SqlParams, R>(query: Query<P, R>, params: P) {
      reads += 1;
      return db.all(query, params);
    },
    find<P extends SqlParams, R>(query: Query<P, R>, params: P) {
      reads += 1;
      return db.find(query, params);
    },
    get<P extends SqlParams, R>(query: Query<P, R>, params: P) {
      reads += 1;
      return db.get(query, params);
    },
    snapshot: (work) => db.snapshot((world) => work(countedWithin(world))),
  };
  const countedWithin = (world: ReadDb): ReadDb => {
    reads += 1;
    return world;
  };
  return { db: counted, reads: () => reads };
}
