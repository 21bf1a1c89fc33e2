import { findAccount } from '../../db/accounts/reader.ts';
import { moderateAccount } from '../../db/accounts/standing-writer.ts';
import { revokePassingTokens } from '../../db/accounts/token-writer.ts';
import { isRefusal, refuse } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import type { Handlers } from '../kit/actor.ts';
import { type Announcer, changed } from './announcer.ts';
import type { AccountsProtocol } from './protocol.ts';
import { writeAccounts } from './write.ts';

/** The messages by which administrators lock and suspend accounts. */
export function createModeration(
  context: TroupeContext,
  announcer: Announcer,
): Pick<Handlers<AccountsProtocol>, 'accounts.moderate'> {
  return {
    async 'accounts.moderate'({ userId, measure, isOn }) {
      const account = await findAccount(context.env.db, userId);
      if (account === undefined || account.deactivatedTs !== null)
        return refuse('M_NOT_FOUND', 'There is no such user.');
      const before = measure === 'lock' ? account.lockedTs : account.suspendedTs;
      if ((before !== null) === isOn) return changed();
      const written = await writeAccounts(context, [
        ...moderateAccount(userId, measure, isOn ? context.clock.now() : null),
        ...(isOn && measure === 'lock' ? revokePassingTokens(userId) : []),
      ]);
      if (isRefusal(written)) return written;
      return changed(await announcer.publish([{ fact: 'account', userId }]));
    },
  };
}
