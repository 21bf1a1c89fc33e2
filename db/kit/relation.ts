import { defineQuery, type Query } from './query.ts';

/** How many rows lack what they belong to, and one of them. */
export type Strays = { readonly strays: number; readonly example: string | null };

/** Rows of one table that belong to rows of another. The code relies on it, and no constraint of the database says so. */
export interface Relation {
  /** For people: `events → rooms`. */
  readonly name: string;
  /** Counts the rows that lack it. */
  readonly query: Query<Record<never, never>, Strays>;
}

/**
 * Defines a relation. Looking for strays reads the whole table: it is for a command, while nothing waits.
 *
 * @param definition `child` is a table with the alias `c`; `parents` are tables of which one has to have a row (alias `p`) for which `on` holds;
 *   `where` leaves out rows that need none
 */
export function defineRelation(definition: {
  readonly owner: string;
  readonly child: string;
  readonly parents: readonly { readonly table: string; readonly on: string }[];
  readonly where?: string;
  /** An expression that names a row. */
  readonly shows: string;
}): Relation {
  const { owner, child, parents, where, shows } = definition;
  const names = parents.map(({ table }) => table);
  const absent = parents.map(({ table, on }) => `NOT EXISTS (SELECT 1 FROM ${table} p WHERE ${on})`);
  return {
    name: `${child} → ${names.join(' or ')}`,
    query: defineQuery<Record<never, never>, Strays>({
      name: `${owner}.count-strays-of-${child}-without-${names.join('-or-')}`.replaceAll('_', '-'),
      sql: `
        SELECT count(*) AS strays, min(CAST(${shows} AS TEXT)) AS example FROM ${child} c
         WHERE ${[...(where === undefined ? [] : [where]), ...absent].join(' AND ')}`,
      scans: [child, 'c'],
    }),
  };
}
