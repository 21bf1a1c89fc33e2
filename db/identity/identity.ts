import type { Clock } from '../../src/kit/clock.ts';
import type { Random } from '../../src/kit/random.ts';
import { makeServerKey, type ServerKey } from '../../src/matrix/signing.ts';
import { defineQuery, type Query } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import { step, type WriteDb, type WriteStep } from '../kit/write-set.ts';

/** The name that the database belongs to. */
export const readServerName = defineQuery<Record<string, never>, { readonly serverName: string }>({
  name: 'identity.read-server-name',
  sql: 'SELECT server_name AS serverName FROM server_identity WHERE only_row = 1',
});

/** All keys that this server signs or has signed with. */
export const readAllSigningKeys = defineQuery<
  Record<string, never>,
  { readonly keyId: string; readonly seed: Uint8Array; readonly retiredTs: number | null }
>({
  name: 'identity.read-all-signing-keys',
  sql: 'SELECT key_id AS keyId, seed, retired_ts AS retiredTs FROM signing_keys ORDER BY created_ts',
  scans: ['signing_keys'],
});

/** Retires all keys but the newest. */
export const retireOldKeys = defineQuery<{ readonly now: number; readonly keyId: string }>({
  name: 'identity.retire-old-keys',
  sql: 'UPDATE signing_keys SET retired_ts = :now WHERE retired_ts IS NULL AND key_id <> :keyId',
  scans: ['signing_keys'],
});

/** Writes the name, once. */
export const insertServerName = defineQuery<{ readonly serverName: string }>({
  name: 'identity.insert-server-name',
  sql: 'INSERT INTO server_identity (only_row, server_name) VALUES (1, :serverName)',
});

/** Adds a signing key. */
export const insertSigningKey = defineQuery<{
  readonly keyId: string;
  readonly seed: Uint8Array;
  readonly now: number;
}>({
  name: 'identity.insert-signing-key',
  sql: 'INSERT INTO signing_keys (key_id, seed, created_ts) VALUES (:keyId, :seed, :now)',
});

/** What {@link loadIdentity} writes with, by name. */
export const IDENTITY_QUERIES: ReadonlyMap<string, Query> = new Map(
  [insertServerName, insertSigningKey, retireOldKeys].map((query) => [query.name, query]),
);

/** The database belongs to a server of another name. */
export class WrongServerName extends Error {
  constructor(own: string, configured: string) {
    super(
      `the data folder belongs to the server "${own}", and the configuration says server.name = "${configured}". ` +
        'A server never changes its name: configure the old one, or use another data folder.',
    );
    this.name = 'WrongServerName';
  }
}

const SEED_BYTES = 32;
const KEY_VERSION_LENGTH = 6;

/** A new key of this server. It signs from the next start on; until then peers learn it. */
export function makeSigningKey(random: Random): ServerKey {
  return makeServerKey(random.bytes(SEED_BYTES), `a_${random.text(KEY_VERSION_LENGTH)}`);
}

/** The steps that add a key: with the next start it signs, and those before it are retired. */
export function addSigningKey(key: ServerKey, now: number): WriteStep[] {
  return [step(insertSigningKey, { keyId: key.keyId, seed: key.seed, now })];
}

/**
 * Who this server is: on the first start it takes the configured name and makes its signing key. A key that was added since the last start
 * takes over.
 *
 * @throws WrongServerName when the database belongs to another name
 */
export async function loadIdentity(
  db: ReadDb,
  write: WriteDb,
  options: { readonly serverName: string; readonly clock: Clock; readonly random: Random },
): Promise<ServerKey> {
  const { serverName, clock, random } = options;
  const known = await db.find(readServerName, {});
  if (known !== undefined && known.serverName !== serverName)
    throw new WrongServerName(known.serverName, serverName);
  const keys = (await db.all(readAllSigningKeys, {})).filter(({ retiredTs }) => retiredTs === null);
  const present = keys.at(-1);
  const key: ServerKey =
    present === undefined ? makeSigningKey(random) : { keyId: present.keyId, seed: present.seed };
  if (known !== undefined && keys.length === 1) return key;
  const now = clock.now();
  const outcome = await write.write({
    owner: 'identity',
    steps: [
      ...(known === undefined ? [step(insertServerName, { serverName })] : []),
      ...(present === undefined ? addSigningKey(key, now) : []),
      step(retireOldKeys, { now, keyId: key.keyId }),
    ],
  });
  if (outcome.kind !== 'committed')
    throw new Error(`the signing key cannot be stored: ${JSON.stringify(outcome)}`);
  return key;
}
