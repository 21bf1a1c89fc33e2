import { basename, dirname, join } from 'node:path';
import { importFile, listFiles } from '../../src/kit/program-files.ts';
import { DB_FOLDER, listOwners } from './migrator.ts';
import { savePosition } from './positions.ts';
import type { Query } from './query.ts';

function isQuery(value: unknown): value is Query {
  if (typeof value !== 'object' || value === null) return false;
  const { name, sql, scans } = value as Partial<Record<keyof Query, unknown>>;
  return typeof name === 'string' && typeof sql === 'string' && Array.isArray(scans);
}

/**
 * Collects every query that a file of `db/<owner>/` exports, by name. Costs the import of those files, most of which the program
 * imports anyway.
 *
 * @throws when two queries have one name, or a query's name does not begin with its owner's folder
 */
export async function loadQueries(folder: string = DB_FOLDER): Promise<ReadonlyMap<string, Query>> {
  const files = listOwners(folder).flatMap((owner) =>
    listFiles(join(folder, owner))
      .filter((path) => path.endsWith('.ts') && dirname(path) === join(folder, owner))
      .map((path) => ({ owner, path })),
  );
  const modules = await Promise.all(
    files.map(async ({ owner, path }) => {
      const exported = await importFile(path);
      return { owner, file: basename(path), queries: Object.values(exported).filter(isQuery) };
    }),
  );
  const queries = new Map<string, Query>([[savePosition.name, savePosition]]);
  for (const { owner, file, queries: found } of modules)
    for (const query of found) {
      if (!query.name.startsWith(`${owner}.`))
        throw new Error(
          `${owner}/${file}: the name of the query ${query.name} does not begin with ${owner}.`,
        );
      const known = queries.get(query.name);
      if (known !== undefined && known !== query)
        throw new Error(`${owner}/${file}: there are two queries called ${query.name}`);
      queries.set(query.name, query);
    }
  return queries;
}
