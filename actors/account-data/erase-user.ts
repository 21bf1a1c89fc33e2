import { forgetUser } from '../../db/account-data/writer.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';
import { FORGOTTEN_ROWS_MAX } from '../forget-rows.ts';
import type { OutputOf } from '../kit/protocol.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { AccountDataProtocol } from './protocol.ts';

/** Deletes some account data of a user who is erased, and the user's filters, and tells the caches. */
export async function eraseUser(
  context: TroupeContext,
  userId: string,
): Promise<OutputOf<AccountDataProtocol, 'account-data.forget-user'>> {
  const outcome = await commit(context, forgetUser(userId, FORGOTTEN_ROWS_MAX));
  if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
  if (outcome.kind === 'refused') throw new Error(`forgetting has no guard, yet ${outcome.refusal}`);
  const rows = (outcome.returned[0] ?? []) as readonly {
    readonly roomId: string | null;
    readonly type: string;
  }[];
  const facts = rows.map(({ roomId, type }) => ({ fact: 'account-data', userId, roomId, type }) as const);
  if (facts.length > 0) context.ref('caches').tell('caches.invalidate', { facts });
  return { kind: 'forgotten', isMore: rows.length === FORGOTTEN_ROWS_MAX };
}
