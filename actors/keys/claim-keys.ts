import { claimKeys, handedOut } from '../../db/keys/one-time-key-writer.ts';
import { type Claim, findClaimable, type HandedOutKey } from '../../db/keys/reader.ts';
import type { KeysRow } from '../../db/keys/stream-reader.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import type { OutputOf } from '../kit/protocol.ts';
import type { DurableStreamOwner } from '../stream-owner.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { KeysProtocol } from './protocol.ts';

type Claimed = OutputOf<KeysProtocol, 'keys.claim'>;
type ClaimedKey = Claim & HandedOutKey;

/** Claims that one write takes: others get their turn between two writes. */
export const CLAIMS_PER_WRITE_MAX = 200;

async function claimTogether(
  context: TroupeContext,
  owner: DurableStreamOwner<KeysRow>,
  claims: readonly Claim[],
): Promise<readonly ClaimedKey[] | Refusal> {
  const claimable = await findClaimable(context.env.db, claims);
  if (claimable.length === 0) return [];
  const outcome = await owner.write({
    count: claimable.length,
    steps: claimKeys(claimable),
    rows: () => claimable.map(({ userId, deviceId }) => [{ kind: 'counts', userId, deviceId }]),
  });
  if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
  if (outcome.kind === 'refused') throw new Error(`a claim has no guard, yet ${outcome.refusal}`);
  const { returned } = outcome;
  return claimable.flatMap((claim, index) => {
    const key = handedOut(returned, index);
    return key === undefined ? [] : [{ ...claim, ...key }];
  });
}

/**
 * Handles `keys.claim`. Who gets which key is decided inside the transaction, so that claims may overlap as they like. Where storage fails
 * midway, what was claimed until then is answered: those keys are gone, and the others can be claimed later.
 */
export async function claimAll(
  context: TroupeContext,
  owner: DurableStreamOwner<KeysRow>,
  claims: readonly Claim[],
): Promise<Claimed> {
  const keys: ClaimedKey[] = [];
  for (let from = 0; from < claims.length; from += CLAIMS_PER_WRITE_MAX) {
    // One write after the other: a large claim is not to fill the committer's queue.
    const claimed = await claimTogether(context, owner, claims.slice(from, from + CLAIMS_PER_WRITE_MAX));
    if (isRefusal(claimed)) {
      if (keys.length === 0) return claimed;
      break;
    }
    keys.push(...claimed);
  }
  const marks = keys.length === 0 ? [] : [{ stream: 'keys', position: owner.currentToken() }];
  return { kind: 'claimed', keys, marks };
}
