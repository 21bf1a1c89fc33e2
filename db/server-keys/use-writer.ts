import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

export const upsertUse = defineQuery<{
  readonly serverName: string;
  readonly isForEvents: number;
  readonly now: number;
}>({
  name: 'server-keys.upsert-use',
  sql: `
    INSERT INTO server_key_uses (server_name, event_use_ts, use_ts)
    VALUES (:serverName, iif(:isForEvents, :now, 0), :now)
    ON CONFLICT (server_name) DO UPDATE
       SET event_use_ts = max(event_use_ts, excluded.event_use_ts), use_ts = max(use_ts, excluded.use_ts)`,
});

type Bound = { readonly serversMax: number };

/** The servers that are too many: those whose keys no event has needed, then those whose keys one needed longest ago. */
const TOO_MANY = `
  SELECT server_name FROM server_key_uses ORDER BY event_use_ts, use_ts, server_name
   LIMIT max(0, (SELECT count(*) FROM server_key_uses) - :serversMax)`;

export const deleteUnusedKeys = defineQuery<Bound>({
  name: 'server-keys.delete-unused-keys',
  sql: `DELETE FROM server_keys WHERE server_name IN (${TOO_MANY})`,
  scans: ['server_key_uses'],
});

export const deleteUnusedDocuments = defineQuery<Bound>({
  name: 'server-keys.delete-unused-documents',
  sql: `DELETE FROM server_key_documents WHERE server_name IN (${TOO_MANY})`,
  scans: ['server_key_uses'],
});

export const deleteOldestUses = defineQuery<Bound>({
  name: 'server-keys.delete-oldest-uses',
  sql: `DELETE FROM server_key_uses WHERE server_name IN (${TOO_MANY})`,
  scans: ['server_key_uses'],
});

/** The step that notes that the keys of a server were needed. */
export function noteKeyUse(serverName: string, isForEvents: boolean, now: number): WriteStep {
  return step(upsertUse, { serverName, isForEvents: isForEvents ? 1 : 0, now });
}

/** The steps that forget what other servers said of their keys, of as many servers as are too many. */
export function forgetUnusedKeys(serversMax: number): WriteStep[] {
  // The uses last: the others are found by them.
  return [
    step(deleteUnusedKeys, { serversMax }),
    step(deleteUnusedDocuments, { serversMax }),
    step(deleteOldestUses, { serversMax }),
  ];
}
