import type { AccountDataProtocol } from '../../../../actors/account-data/protocol.ts';
import type { InputOf } from '../../../../actors/kit/protocol.ts';
import type { ActorRef } from '../../../../actors/kit/ref.ts';
import { isRefusal, type Refusal } from '../../../matrix/refusal.ts';
import type { StreamViews } from '../../../streams/view.ts';

/** Sets or deletes a tag and waits until this thread has seen it; gives the empty body of the answer. */
export async function setTag(
  services: { readonly 'account-data': ActorRef<AccountDataProtocol>; readonly streams: StreamViews },
  change: InputOf<AccountDataProtocol, 'account-data.set-tag'>,
): Promise<Readonly<Record<string, never>> | Refusal> {
  const stored = await services['account-data'].ask('account-data.set-tag', change);
  if (isRefusal(stored)) return stored;
  await services.streams.reached('account-data', stored.position);
  return {};
}
