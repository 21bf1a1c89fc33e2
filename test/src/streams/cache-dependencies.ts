import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CacheDefinition } from '../../../src/streams/cache.ts';
import type { FactName } from '../../../src/streams/fact.ts';

export type AnyCache = CacheDefinition<string, unknown>;

/** What makes a copy of a table untrue: facts that all have to be handled, or that no fact tells of it. */
type Untruth = readonly FactName[] | 'never changes' | 'no fact tells';

/**
 * Every table (and, where they differ, column) with the facts that a cache which reads it depends on. A `room-changed` poke stands for
 * the memberships that it names, so that those need not be declared twice.
 */
export const FACTS_BY_TABLE: Readonly<Record<string, Untruth>> = {
  access_tokens: ['access-token'],
  account_data: ['account-data'],
  accounts: ['account'],
  current_state: ['room-state', 'room-changed'],
  cross_signing_keys: ['device-list'],
  device_keys: ['device-list'],
  device_list_changes: ['device-list'],
  destinations: 'no fact tells',
  device_list_outbound: 'no fact tells',
  failing_destinations: ['reach'],
  federation_progress: 'no fact tells',
  sent_device_lists: 'no fact tells',
  unsent_events: 'no fact tells',
  dehydrated_devices: 'no fact tells',
  departed_devices: 'no fact tells',
  delayed_events: 'no fact tells',
  key_backups: 'no fact tells',
  key_backup_versions: 'no fact tells',
  key_backup_sessions: 'no fact tells',
  key_backup_leftovers: 'no fact tells',
  devices: ['device-list'],
  event_relations: ['relations'],
  directory_places: 'no fact tells',
  directory_progress: 'no fact tells',
  directory_users: 'no fact tells',
  directory_words: 'no fact tells',
  event_transactions: 'never changes',
  media: 'no fact tells',
  url_previews: 'no fact tells',
  missing_auth_events: 'no fact tells',
  held_redactions: 'no fact tells',
  followed_events: 'no fact tells',
  partial_rooms: ['room-changed'],
  partial_placements: 'no fact tells',
  prepared_states: 'no fact tells',
  purged_histories: 'no fact tells',
  deleted_rooms: 'no fact tells',
  deleted_numbers: 'no fact tells',
  ended_memberships: 'no fact tells',
  blocked_rooms: 'no fact tells',
  received_transactions: 'no fact tells',
  waiting_events: 'no fact tells',
  room_changes: 'never changes',
  // An event is what it was when it was signed; what became of it is not.
  events: 'never changes',
  'events.redacted_by': ['event'],
  'events.rejection': ['event'],
  fallback_keys: ['one-time-keys'],
  filters: ['filter'],
  forward_extremities: 'no fact tells',
  key_count_changes: ['one-time-keys'],
  key_signatures: 'no fact tells',
  local_memberships: ['membership'],
  notifications: 'no fact tells',
  one_time_keys: ['one-time-keys'],
  own_events: 'no fact tells',
  profile_fields: ['profile'],
  push_changes: 'no fact tells',
  push_progress: 'no fact tells',
  push_rules: ['push-rules'],
  pushers: 'no fact tells',
  resolved_states: 'never changes',
  receipts: ['receipt'],
  refresh_tokens: ['access-token'],
  passing_tokens: 'no fact tells',
  registration_tokens: 'no fact tells',
  remote_device_lists: 'no fact tells',
  remote_devices: 'no fact tells',
  unannounced_remote_changes: 'no fact tells',
  remote_devices_progress: 'no fact tells',
  reports: 'no fact tells',
  room_aliases: ['room-alias'],
  rooms: 'never changes',
  // A new room, and one that replaces another, come with a create event.
  'rooms.is_public': ['room-listing', 'room-state'],
  search_entries: 'no fact tells',
  search_progress: 'no fact tells',
  search_rooms: 'no fact tells',
  search_words: 'no fact tells',
  search_words_config: 'no fact tells',
  search_words_data: 'no fact tells',
  search_words_docsize: 'no fact tells',
  search_words_idx: 'no fact tells',
  server_identity: 'never changes',
  signature_changes: 'no fact tells',
  signing_keys: 'never changes',
  state_changes: 'never changes',
  // For how long a key is good is looked at anew whenever it is used.
  server_key_documents: 'no fact tells',
  server_keys: 'no fact tells',
  server_key_uses: 'no fact tells',
  state_group_entries: 'never changes',
  state_groups: 'never changes',
  state_keys: 'never changes',
  // When one ends never changes; that it ends early comes with what became of the event.
  sticky_events: ['event'],
  stream_positions: 'no fact tells',
  to_device_outbound: 'no fact tells',
  thread_subscribers: ['thread-subscription'],
  thread_subscriptions: ['thread-subscription'],
  to_device_messages: 'no fact tells',
  to_device_transactions: 'never changes',
  unannounced_key_changes: 'no fact tells',
  user_ids: 'never changes',
};

/** The tables that a statement reads. Names of its own (WITH) and table-valued functions are none. */
export function tablesOf(sql: string): readonly string[] {
  const own = new Set(
    [...sql.matchAll(/\b([a-z_]+)\s*(?:\([^()]*\))?\s+AS\s+(?:MATERIALIZED\s+)?\(/gi)].map(
      ([, name]) => name,
    ),
  );
  const named = [...sql.matchAll(/\b(?:FROM|JOIN)\s+([a-z_]+)\b(?!\s*\()/gi)].map(([, name = '']) =>
    name.toLowerCase(),
  );
  return [...new Set(named)].filter((name) => !own.has(name)).toSorted();
}

/** The entries of {@link FACTS_BY_TABLE} that a statement touches. */
function touched(sql: string): readonly string[] {
  return tablesOf(sql).flatMap((table) => [
    table,
    ...Object.keys(FACTS_BY_TABLE).filter((entry) => {
      const [of, column] = entry.split('.');
      return of === table && column !== undefined && new RegExp(`\\b${column}\\b`).test(sql);
    }),
  ]);
}

/** The facts that must stand in a cache's `dependsOn`, from what it reads. */
export function requiredFacts(cache: AnyCache): readonly FactName[] {
  const facts = cache.reads
    .flatMap(({ sql }) => touched(sql))
    .flatMap((entry) => {
      const untruth = FACTS_BY_TABLE[entry] ?? [];
      return typeof untruth === 'string' ? [] : untruth;
    });
  return [...new Set(facts)];
}

/** What is wrong with a cache, in words. */
export function findFaults(cache: AnyCache): readonly string[] {
  const faults = requiredFacts(cache)
    .filter((fact) => cache.dependsOn[fact] === undefined)
    .map((fact) => `${cache.name} does not depend on ${fact}`);
  for (const { name, sql } of cache.reads)
    for (const entry of touched(sql)) {
      if (FACTS_BY_TABLE[entry] === undefined)
        faults.push(`${name} reads ${entry}, of which nothing is known`);
      if (FACTS_BY_TABLE[entry] === 'no fact tells')
        faults.push(`${name} reads ${entry}, and no fact tells of its changes`);
    }
  return faults;
}

function isCache(value: unknown): value is AnyCache {
  const fields = value as { load?: unknown; dependsOn?: unknown; reads?: unknown } | null;
  return (
    typeof fields === 'object' &&
    typeof fields?.load === 'function' &&
    typeof fields.dependsOn === 'object' &&
    Array.isArray(fields.reads)
  );
}

/** Every cache that a file below `src` or `actors` defines and exports. */
export async function loadCaches(): Promise<readonly AnyCache[]> {
  const root = join(import.meta.dirname, '../../..');
  const files = ['src', 'actors'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
      join(root, folder, file),
    ),
  );
  const defining = files.filter(
    (file) =>
      file.endsWith('.ts') && /\bdefineCache\s*<[^;]*>\(|= defineCache\(/.test(readFileSync(file, 'utf8')),
  );
  const modules = await Promise.all(
    defining.map((file) => import(pathToFileURL(file).href) as Promise<object>),
  );
  return modules.flatMap((module) => Object.values(module) as unknown[]).filter(isCache);
}

/** How many caches the source defines: each of them has to be exported. */
export function countDefinitions(): number {
  const root = join(import.meta.dirname, '../../..');
  return ['src', 'actors']
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) =>
        join(root, folder, file),
      ),
    )
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(file, 'utf8').match(/= defineCache\b/g)?.length ?? 0)
    .reduce((sum, count) => sum + count, 0);
}
