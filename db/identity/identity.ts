import type { Clock } from '../../src/kit/clock.ts';
import type { Random } from '../../src/kit/random.ts';
import { makeServerKey, type ServerKey } from '../../src/matrix/signing.ts';
import { defineQuery, type Query } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import { step, type WriteDb } from '../kit/write-set.ts';

/** The name that the database belongs to. */
export const readServerName = defineQuery<Record<string, never>, { readonly serverName: string }>({
  name: 'identity.read-server-name',
  sql: 'SELECT server_name AS serverName FROM server_identity WHERE only_row = 1',
});

/** The key that signs now. */
export const readSigningKey = defineQuery<
  Record<string, never>,
  { readonly keyId: string; readonly seed: Uint8Array }
>({
  name: 'identity.read-signing-key',
  sql: 'SELECT key_id AS keyId, seed FROM signing_keys WHERE retired_ts IS NULL ORDER BY created_ts DESC LIMIT 1',
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
  [insertServerName, insertSigningKey].map((query) => [query.name, query]),
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

/**
 * Who this server is: on the first start it takes the configured name and makes its signing key.
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
  const present = await db.find(readSigningKey, {});
  if (known !== undefined && present !== undefined) return present;
  const key = makeServerKey(random.bytes(SEED_BYTES), `a_${random.text(KEY_VERSION_LENGTH)}`);
  const outcome = await write.write({
    owner: 'identity',
    steps: [
      ...(known === undefined ? [step(insertServerName, { serverName })] : []),
      step(insertSigningKey, { keyId: key.keyId, seed: key.seed, now: clock.now() }),
    ],
  });
  if (outcome.kind !== 'committed')
    throw new Error(`the signing key cannot be stored: ${JSON.stringify(outcome)}`);
  return key;
}
