import { findAccountData, isDeleted } from '../../db/account-data/reader.ts';
import type { AccountDataRow } from '../../db/account-data/stream-reader.ts';
import { storeAccountData } from '../../db/account-data/writer.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import type { DurableStreamOwner } from '../stream-owner.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { AccountDataProtocol } from './protocol.ts';

/** Types that belong to one device: its id follows. Client-Server API v1.19, "Push Notifications", and MSC3890. */
const DEVICE_TYPES: readonly string[] = [
  'm.local_notification_settings.',
  'org.matrix.msc3890.local_notification_settings.',
];

/** Deletes what a user has set for devices that are gone, in one write; the other devices are told. */
export async function forgetDevices(
  context: Pick<TroupeContext, 'env'>,
  owner: DurableStreamOwner<AccountDataRow>,
  { userId, deviceIds }: InputOf<AccountDataProtocol, 'account-data.forget-devices'>,
): Promise<OutputOf<AccountDataProtocol, 'account-data.forget-devices'>> {
  const types: string[] = [];
  for (const type of deviceIds.flatMap((deviceId) => DEVICE_TYPES.map((prefix) => prefix + deviceId))) {
    // One after another: the reads of one connection are done one after another anyway.
    const stored = await findAccountData(context.env.db, userId, null, type);
    if (stored !== undefined && !isDeleted(stored)) types.push(type);
  }
  if (types.length === 0) return { kind: 'forgotten', position: null };
  const outcome = await owner.write({
    count: types.length,
    steps: types.flatMap((type, offset) =>
      storeAccountData({ userId, roomId: '', type, content: '{}' }, offset),
    ),
    rows: () => types.map((type) => [{ userId, roomId: null, type }]),
  });
  if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
  if (outcome.kind === 'refused') throw new Error(`account data has no guard, yet ${outcome.refusal}`);
  return { kind: 'forgotten', position: owner.currentToken() };
}
