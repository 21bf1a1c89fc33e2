import type { AccountDataProtocol } from '../../../../actors/account-data/protocol.ts';
import type { InputOf } from '../../../../actors/kit/protocol.ts';
import type { ActorRef } from '../../../../actors/kit/ref.ts';
import { isRefusal, type Refusal } from '../../../matrix/refusal.ts';
import type { StreamViews } from '../../../streams/view.ts';

/** Deletes an account data event and waits until this thread has seen it; gives the empty body of the answer. */
export async function deleteContent(
  services: { readonly 'account-data': ActorRef<AccountDataProtocol>; readonly streams: StreamViews },
  target: InputOf<AccountDataProtocol, 'account-data.delete-content'>,
): Promise<Readonly<Record<string, never>> | Refusal> {
  const deleted = await services['account-data'].ask('account-data.delete-content', target);
  if (isRefusal(deleted)) return deleted;
  await services.streams.reached('account-data', deleted.position);
  return {};
}
