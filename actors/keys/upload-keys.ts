import { countsByAlgorithm, findDeviceKeys } from '../../db/keys/reader.ts';
import {
  FALLBACK_ALGORITHMS_MAX,
  ONE_TIME_KEYS_MAX,
  type OneTimeKeyGuard,
  storeKeys,
} from '../../db/keys/one-time-key-writer.ts';
import { NO_SUCH_DEVICE, requireDevice, storeDeviceKeys } from '../../db/keys/writer.ts';
import type { KeysRow } from '../../db/keys/stream-reader.ts';
import { haveSameKeys } from '../../src/matrix/keys/device-keys.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import type { DurableStreamOwner } from '../stream-owner.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { Announcer } from './announcer.ts';
import type { KeysProtocol } from './protocol.ts';

type Upload = InputOf<KeysProtocol, 'keys.upload'>;
type Uploaded = OutputOf<KeysProtocol, 'keys.upload'>;

const REFUSAL_BY_GUARD: Readonly<Record<OneTimeKeyGuard | typeof NO_SUCH_DEVICE, Refusal>> = {
  'key-id-is-taken': refuse('M_INVALID_PARAM', 'one_time_keys: another key was uploaded with the same id'),
  'too-many-keys': refuse(
    'M_INVALID_PARAM',
    `a device has at most ${ONE_TIME_KEYS_MAX} one-time keys and fallback keys for ${FALLBACK_ALGORITHMS_MAX} algorithms`,
  ),
  [NO_SUCH_DEVICE]: refuse('M_UNKNOWN_TOKEN', 'This device has been logged out.'),
};

/** The keys are new, are those that are there already, or are others: a device keeps its keys for life. */
async function compareDeviceKeys(
  context: TroupeContext,
  { userId, deviceId, deviceKeys }: Upload,
): Promise<'new' | 'known' | 'others'> {
  if (deviceKeys === null) return 'known';
  const stored = await findDeviceKeys(context.env.db, userId, deviceId);
  if (stored === undefined) return 'new';
  if (stored === deviceKeys) return 'known';
  return haveSameKeys(stored, deviceKeys) ? 'new' : 'others';
}

/** Handles `keys.upload`, one of a user at a time. */
export async function uploadKeys(
  context: TroupeContext,
  owner: DurableStreamOwner<KeysRow>,
  announcer: Announcer,
  upload: Upload,
): Promise<Uploaded> {
  const { userId, deviceId, deviceKeys, oneTimeKeys, fallbackKeys } = upload;
  const device = { userId, deviceId };
  const compared = await compareDeviceKeys(context, upload);
  if (compared === 'others')
    return refuse(
      'M_INVALID_PARAM',
      'device_keys: this device has other keys already, and keeps them for life',
    );
  const isNew = compared === 'new' && deviceKeys !== null;
  const steps = [
    requireDevice(device),
    ...(isNew ? storeDeviceKeys(device, deviceKeys) : []),
    ...storeKeys(device, oneTimeKeys, fallbackKeys),
  ];
  const outcome = await owner.write({ count: 1, steps, rows: () => [[{ kind: 'counts', ...device }]] });
  if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
  if (outcome.kind === 'refused') {
    const refusal = REFUSAL_BY_GUARD[outcome.refusal as keyof typeof REFUSAL_BY_GUARD] as Refusal | undefined;
    if (refusal === undefined) throw new Error(`no such guard: ${outcome.refusal}`);
    return refusal;
  }
  const rows = outcome.returned[steps.length - 1] as Parameters<typeof countsByAlgorithm>[0];
  const told = await announcer.announce(userId, isNew ? [deviceId] : []);
  return {
    kind: 'stored',
    counts: countsByAlgorithm(rows),
    marks: [...told, { stream: 'keys', position: outcome.position ?? owner.currentToken() }],
  };
}
