import { readAllSigningKeys, readServerName } from '../../../db/identity/identity.ts';
import { ACCOUNT_RELATIONS } from '../../../db/accounts/relations.ts';
import { KEY_BACKUP_RELATIONS } from '../../../db/key-backup/relations.ts';
import { KEY_RELATIONS } from '../../../db/keys/relations.ts';
import { findDamage } from '../../../db/kit/integrity.ts';
import type { ReadDb } from '../../../db/kit/read-db.ts';
import { ROOM_RELATIONS } from '../../../db/rooms/relations.ts';
import { readExcess } from '../../../db/streams/verify-reader.ts';
import { streams } from '../../streams/registry.ts';
import { type CheckResult, createFindings, RESTORE_TODO } from './finding.ts';

const SEED_BYTES = 32;

/** The file itself, as SQLite sees it. */
export function checkFile(path: string, isFull: boolean): CheckResult {
  const findings = createFindings();
  for (const what of findDamage(path, isFull))
    findings.add({ what, todo: `the disk may be failing: copy the data folder away, then ${RESTORE_TODO}` });
  return findings.result('database file', isFull ? 'every page and every index' : 'every page');
}

/** Whose database it is, and whether it can sign. */
export async function checkIdentity(db: ReadDb, serverName: string): Promise<CheckResult> {
  const findings = createFindings();
  const own = await db.find(readServerName, {});
  if (own?.serverName !== serverName)
    findings.add({
      what: `the database is of the server "${own?.serverName ?? ''}", and the configuration says server.name = "${serverName}"`,
      todo: 'name the configuration of that server with --config',
    });
  const keys = await db.all(readAllSigningKeys, {});
  for (const { keyId, seed } of keys)
    if (seed.length !== SEED_BYTES || !keyId.startsWith('ed25519:'))
      findings.add({ what: `the signing key ${keyId} cannot be read`, todo: RESTORE_TODO });
  if (!keys.some(({ retiredTs }) => retiredTs === null))
    findings.add({
      what: 'there is no signing key in use',
      todo: `the next start makes a new one, and other servers have to learn it; better ${RESTORE_TODO}`,
    });
  return findings.result('signing keys', `${keys.length} keys of ${own?.serverName ?? 'nobody'}`);
}

/** No row has a position beyond the mark of its stream. */
export async function checkStreams(db: ReadDb): Promise<CheckResult> {
  const findings = createFindings();
  let columns = 0;
  for (const stream of streams) {
    if (stream.kind !== 'durable') continue;
    columns += stream.tables.length;
    for (const { place, highest, lowest, forward, backward } of await readExcess(db, stream))
      findings.add({
        what: `the stream ${stream.name} stands at ${forward} (history ${backward}), and ${place} has ${highest} (${lowest})`,
        todo: `the next start corrects the mark; as long as nobody knows why it is wrong, ${RESTORE_TODO}`,
      });
  }
  return findings.result('stream positions', `${columns} columns of positions`);
}

/** Every row has what it belongs to. */
export async function checkRelations(db: ReadDb): Promise<CheckResult> {
  const findings = createFindings();
  const relations = [...ROOM_RELATIONS, ...ACCOUNT_RELATIONS, ...KEY_RELATIONS, ...KEY_BACKUP_RELATIONS];
  for (const { name, query } of relations) {
    const { strays, example } = await db.get(query, {});
    if (strays > 0)
      findings.add({
        what: `${name}: ${strays} rows belong to nothing, ${example} for one`,
        todo: RESTORE_TODO,
      });
  }
  return findings.result('relations', `${relations.length} relations`);
}
