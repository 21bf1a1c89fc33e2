import { LRUCache } from 'lru-cache';
import { readAllSigningKeys } from '../../db/identity/identity.ts';
import { findKeyDocument, readServerKeys } from '../../db/server-keys/reader.ts';
import { storeDocument, storeKeys } from '../../db/server-keys/writer.ts';
import type { KeyDocument, OwnKey, PublishedKey } from '../../src/federation/trust/key-document.ts';
import { type KeysOfServer, type KnownKeys, learnKeys } from '../../src/federation/trust/known-keys.ts';
import { type ServerKey, verifyKeyOf } from '../../src/matrix/signing.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';
import { createKeyUses, type KeyUses } from './key-uses.ts';

/** Servers whose keys are held in memory. */
export const SERVERS_IN_MEMORY_MAX = 5_000;

/** What is known of keys: this server's own, and those of others that were fetched. */
export interface KeyBook {
  keysOf(serverName: string): Promise<KeysOfServer>;
  /**
   * Stores what a server publishes. What could not be stored is known until the actor ends.
   *
   * @param isDirect whether that server said so itself, or a notary
   */
  add(document: KeyDocument, isDirect: boolean): Promise<void>;
  /** Keys of these servers are needed: those that are needed least are forgotten when there are too many. */
  noteUse: KeyUses['note'];
  /** The keys of this server; the newest last. */
  ownKeys(): Promise<readonly OwnKey[]>;
  /** Those of them that may sign. */
  ownSigners(): Promise<readonly ServerKey[]>;
}

/** Opens what is known of keys. */
export function openKeyBook(context: TroupeContext): KeyBook {
  const { env, clock, log } = context;
  const { db, config, serverKey } = env;
  const inMemory = new LRUCache<string, Promise<KnownKeys>>({ max: SERVERS_IN_MEMORY_MAX });

  const uses = createKeyUses(context);

  const ownRows = () => db.all(readAllSigningKeys, {});

  async function ownKeys(): Promise<readonly OwnKey[]> {
    return (await ownRows()).map(({ keyId, seed, retiredTs }) => ({
      keyId,
      publicKey: verifyKeyOf({ keyId, seed }).publicKey,
      retiredTs,
    }));
  }

  async function readOwn(): Promise<KeysOfServer> {
    const own = (await ownKeys()).map(({ keyId, publicKey, retiredTs }): [string, PublishedKey] => [
      keyId,
      { keyId, publicKey, isOld: retiredTs !== null, validUntilTs: retiredTs ?? Number.MAX_SAFE_INTEGER },
    ]);
    return new Map(own);
  }

  async function read(serverName: string): Promise<KnownKeys> {
    const [rows, document] = await Promise.all([
      readServerKeys(db, serverName),
      findKeyDocument(db, serverName),
    ]);
    const keys = new Map(rows.map(({ isOld, ...key }) => [key.keyId, { ...key, isOld: isOld === 1 }]));
    return { keys, documentUntilTs: document?.validUntilTs ?? 0 };
  }

  function knownOf(serverName: string): Promise<KnownKeys> {
    const known = inMemory.get(serverName);
    if (known !== undefined) return known;
    const reading = read(serverName);
    inMemory.set(serverName, reading);
    reading.catch(() => inMemory.delete(serverName));
    return reading;
  }

  return {
    noteUse: (serverNames, isForEvents) => uses.note(serverNames, isForEvents),
    // Ours are few, and stand in another table.
    keysOf: async (serverName) =>
      serverName === config.server.name ? readOwn() : (await knownOf(serverName)).keys,
    ownKeys,
    async ownSigners() {
      const rows = await ownRows();
      const active = rows.filter(({ retiredTs }) => retiredTs === null);
      return active.length === 0 ? [serverKey] : active.map(({ keyId, seed }) => ({ keyId, seed }));
    },
    async add(document, isDirect) {
      const { serverName, json } = document;
      const now = clock.now();
      const learning = knownOf(serverName).then((known) =>
        learnKeys(known, document, { isDirect, nowTs: now }),
      );
      // At once: what is learnt next, of the same server, is to stand on it.
      inMemory.set(
        serverName,
        learning.then(({ known }) => known),
      );
      const learnt = await learning;
      const stored = { text: JSON.stringify(json), validUntilTs: learnt.known.documentUntilTs, now };
      const steps = [
        ...storeKeys(serverName, learnt.changed),
        ...(learnt.isNewest ? [storeDocument(serverName, stored)] : []),
      ];
      if (steps.length === 0) return;
      const outcome = await commit(context, [...steps, ...uses.stepsForStored(serverName)]);
      if (outcome.kind !== 'committed') log.warn('keys of a server were not stored', { serverName, outcome });
    },
  };
}
