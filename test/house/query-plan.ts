import { defineQuery, type Query, type SqlParams } from '../../db/kit/query.ts';
import type { ReadDb } from '../../db/kit/read-db.ts';

/** What a plan says about a query. */
export interface PlanFindings {
  /** Tables that are read from end to end, with the line of the plan that says so. */
  readonly scans: readonly { readonly table: string; readonly line: string }[];
  /** True when rows are sorted in memory because no index gives their order. */
  readonly sorts: boolean;
}

interface Schema {
  readonly tables: ReadonlySet<string>;
  /** First column of each index. */
  readonly leading: ReadonlyMap<string, string>;
}

const TABLES = defineQuery<SqlParams, { readonly name: string }>({
  name: 'house.tables',
  sql: `SELECT name FROM sqlite_schema WHERE type = 'table'`,
});
const LEADING_COLUMNS = defineQuery<SqlParams, { readonly name: string; readonly leading: string }>({
  name: 'house.leading-columns',
  sql: `SELECT s.name, i.name AS leading FROM sqlite_schema s, pragma_index_info(s.name) i
         WHERE s.type = 'index' AND i.seqno = 0`,
});

export async function readSchema(db: ReadDb): Promise<Schema> {
  const [tables, leading] = await Promise.all([db.all(TABLES, {}), db.all(LEADING_COLUMNS, {})]);
  return {
    tables: new Set(tables.map(({ name }) => name)),
    leading: new Map(leading.map((index) => [index.name, index.leading])),
  };
}

/** True for what the query itself makes: a common table expression, or a subquery with a name. */
function isMadeByQuery(sql: string, name: string): boolean {
  const columns = String.raw`(?:\([^)]*\))?`;
  const expression = String.raw`\b${name}\s*${columns}\s*AS\s+(?:(?:NOT\s+)?MATERIALIZED\s+)?\(`;
  return new RegExp(String.raw`${expression}|\)\s*(?:AS\s+)?${name}\b`, 'i').test(sql);
}

/** The table behind a name of the plan, which shows aliases; undefined for what the query itself makes. */
function findTable(sql: string, schema: Schema, name: string): string | undefined {
  if (schema.tables.has(name)) return name;
  const named = new RegExp(String.raw`(?:FROM|JOIN|,|INTO|UPDATE)\s+(\w+)\s+(?:AS\s+)?${name}\b`, 'gi');
  const sources = [...sql.matchAll(named)].map(([, source]) => source ?? '');
  const table = sources.find((source) => schema.tables.has(source));
  if (table !== undefined) return table;
  if ([name, ...sources].some((source) => isMadeByQuery(sql, source))) return undefined;
  throw new Error(`the plan reads "${name}", which is neither a table nor a part of the query`);
}

/** SQLite says SEARCH for min() and max() without a condition even where no index leads with the column: that is a scan. */
function isDisguisedScan(sql: string, schema: Schema, line: string): boolean {
  if (!line.startsWith('SEARCH') || line.includes('(')) return false;
  const index = /USING (?:COVERING )?INDEX (\w+)/.exec(line)?.[1];
  const column = index === undefined ? undefined : schema.leading.get(index);
  if (column !== undefined)
    return !new RegExp(String.raw`\b(?:min|max)\(\s*(?:\w+\.)?${column}\b`, 'i').test(sql);
  return line.includes('USING PRIMARY KEY');
}

/** Prepares a query and reads its plan. */
export async function readPlan(db: ReadDb, schema: Schema, query: Query): Promise<PlanFindings> {
  const names = [...query.sql.matchAll(/:(\w+)/g)].map(([, name]) => [name ?? '', null] as const);
  const explain = defineQuery<SqlParams, { readonly detail: string }>({
    name: `house.plan-of-${query.name}`,
    sql: `EXPLAIN QUERY PLAN ${query.sql}`,
  });
  const lines = (await db.all(explain, Object.fromEntries(names))).map(({ detail }) => detail);
  const scans = lines.flatMap((line) => {
    const name = /^(?:SCAN|SEARCH) (\w+)/.exec(line)?.[1];
    if (name === undefined || line.includes('VIRTUAL TABLE') || line === 'SCAN CONSTANT ROW') return [];
    const isScan =
      line.startsWith('SCAN') || line.includes('AUTOMATIC') || isDisguisedScan(query.sql, schema, line);
    const table = isScan ? findTable(query.sql, schema, name) : undefined;
    return table === undefined ? [] : [{ table, line }];
  });
  return { scans, sorts: lines.some((line) => line.startsWith('USE TEMP B-TREE FOR ORDER BY')) };
}
