import { readSignatures, type StoredSignature } from '../../db/keys/reader.ts';
import type { KeysRow } from '../../db/keys/stream-reader.ts';
import { noteUnannounced, storeSignatures } from '../../db/keys/writer.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import type { DurableStreamOwner } from '../stream-owner.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { Announcer } from './announcer.ts';
import type { KeysStored } from './protocol.ts';

/** What one user signed or changed of its cross-signing. */
export interface SigningChange {
  readonly userId: string;
  /** Stored before the signatures. */
  readonly steps: readonly WriteStep[];
  readonly signatures: readonly StoredSignature[];
  /** Whose keys the user's own devices are to ask for again. */
  readonly targetUserIds: readonly string[];
  /** Of the user's own keys those that others are to ask for again: device ids and public keys. */
  readonly announced: readonly string[];
}

/** Writes a change, tells the user's own devices on the keys stream, and others by way of device lists. */
export async function storeSigningChange(
  context: TroupeContext,
  owner: DurableStreamOwner<KeysRow>,
  announcer: Announcer,
  { userId, steps, signatures, targetUserIds, announced }: SigningChange,
): Promise<KeysStored | Refusal> {
  const outcome = await owner.write({
    count: targetUserIds.length,
    steps: [
      ...steps,
      ...storeSignatures(userId, targetUserIds, signatures),
      ...noteUnannounced(userId, announced),
    ],
    rows: () => targetUserIds.map((targetUserId) => [{ kind: 'signed', userId, targetUserId }]),
  });
  if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
  if (outcome.kind === 'refused') throw new Error(`a signature has no guard, yet ${outcome.refusal}`);
  const told = await announcer.announce(userId, announced);
  return { kind: 'stored', marks: [...told, { stream: 'keys', position: owner.currentToken() }] };
}

function nameOf({ targetUserId, targetKeyId, signerKeyId, signature }: StoredSignature): string {
  return JSON.stringify([targetUserId, targetKeyId, signerKeyId, signature]);
}

/** Handles `keys.add-signatures`: those that are there already change nothing. */
export async function addSignatures(
  context: TroupeContext,
  owner: DurableStreamOwner<KeysRow>,
  announcer: Announcer,
  userId: string,
  signatures: readonly StoredSignature[],
): Promise<KeysStored | Refusal> {
  const users = [...new Set(signatures.map(({ targetUserId }) => targetUserId))];
  const stored = await readSignatures(context.env.db, users, userId);
  const known = new Set(stored.filter(({ signerUserId }) => signerUserId === userId).map(nameOf));
  const added = signatures.filter((signature) => !known.has(nameOf(signature)));
  if (added.length === 0) return { kind: 'stored', marks: [] };
  const own = added.filter(({ targetUserId }) => targetUserId === userId);
  return storeSigningChange(context, owner, announcer, {
    userId,
    steps: [],
    signatures: added,
    targetUserIds: [...new Set(added.map(({ targetUserId }) => targetUserId))],
    announced: [...new Set(own.map(({ targetKeyId }) => targetKeyId))],
  });
}
