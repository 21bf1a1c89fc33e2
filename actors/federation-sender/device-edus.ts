import { findDevice } from '../../db/accounts/reader.ts';
import { type OutboundChange, readOutboundChanges } from '../../db/device-lists/outbound-reader.ts';
import { findSentDeviceList } from '../../db/federation-sender/reader.ts';
import { upsertSentDeviceList } from '../../db/federation-sender/writer.ts';
import { step } from '../../db/kit/write-set.ts';
import { type KeyUsage, readCrossSigningKeys } from '../../db/keys/reader.ts';
import { readOutboundMessages } from '../../db/to-device/outbound-reader.ts';
import { readLocalKeys } from '../../src/http/client/keys/local-keys.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';
import type { Destination } from './destination.ts';

/** Changes of devices in one transaction: each has the keys of the device. */
export const DEVICE_CHANGES_PER_TRANSACTION = 20;
/** Messages for devices in one transaction. */
export const MESSAGES_PER_TRANSACTION = 50;

/** What stands in the database for a server, as EDUs. */
export interface StoredEdus {
  readonly edus: readonly JsonObject[];
  /** The server has them. False when that could not be stored: it is sent them again. */
  settle(): Promise<boolean>;
}

const NOTHING: StoredEdus = { edus: [], settle: () => Promise.resolve(true) };

/** What a user's cross-signing keys are, by their public keys. */
async function usagesOf(context: TroupeContext, userId: string): Promise<ReadonlyMap<string, KeyUsage>> {
  const keys = await readCrossSigningKeys(context.env.db, [userId]);
  return new Map(keys.map(({ publicKey, usage }) => [publicKey, usage]));
}

function keysOf(context: TroupeContext, userId: string, deviceIds: readonly string[]) {
  const devices = new Map([[userId, deviceIds]]);
  // Nobody in particular asks: everybody sees the signatures of the keys' owner. Names of devices stay here.
  return readLocalKeys(context.env.db, { devices, askedBy: '', sharesDeviceNames: false }, () =>
    Promise.resolve(),
  );
}

/** Server-Server API v1.19, `m.signing_key_update`. */
async function signingKeyUpdate(context: TroupeContext, userId: string): Promise<JsonObject> {
  const { master_keys: masters, self_signing_keys: selfSigning } = await keysOf(context, userId, []);
  const [master, self] = [masters[userId], selfSigning[userId]];
  return {
    user_id: userId,
    ...(master !== undefined && { master_key: master }),
    ...(self !== undefined && { self_signing_key: self }),
  };
}

/** Server-Server API v1.19, `m.device_list_update`. */
async function deviceListUpdate(
  context: TroupeContext,
  { userId, deviceId, position }: OutboundChange,
  previous: number | undefined,
): Promise<JsonObject> {
  const device = await findDevice(context.env.db, userId, deviceId);
  const keys = (await keysOf(context, userId, [deviceId])).device_keys[userId]?.[deviceId];
  return {
    user_id: userId,
    device_id: deviceId,
    stream_id: position,
    prev_id: previous === undefined ? [] : [previous],
    ...(device === undefined && { deleted: true }),
    ...(keys !== undefined && { keys: keys as JsonObject }),
  };
}

/** Makes EDUs of what changed, each following the one before of its user. */
async function updatesOf(
  context: TroupeContext,
  destination: string,
  changes: readonly OutboundChange[],
): Promise<{ readonly edus: readonly JsonObject[]; readonly sent: ReadonlyMap<string, number> }> {
  const edus: JsonObject[] = [];
  const sent = new Map<string, number>();
  const signers = new Set<string>();
  const usages = new Map<string, ReadonlyMap<string, KeyUsage>>();
  for (const change of changes) {
    const { userId, deviceId, position } = change;
    // One after another: each names the one before.
    const known = usages.get(userId) ?? (await usagesOf(context, userId));
    usages.set(userId, known);
    const usage = known.get(deviceId);
    if (usage !== undefined) {
      // A user-signing key is nobody else's business.
      if (usage !== 'user_signing') signers.add(userId);
      continue;
    }
    const previous = sent.get(userId) ?? (await findSentDeviceList(context.env.db, destination, userId));
    // It was delivered, and the crash came before it was forgotten here.
    if (previous !== undefined && previous >= position) continue;
    const content = await deviceListUpdate(context, change, previous);
    edus.push({ edu_type: 'm.device_list_update', content });
    sent.set(userId, position);
  }
  for (const userId of signers) {
    const content = await signingKeyUpdate(context, userId);
    edus.push({ edu_type: 'm.signing_key_update', content });
  }
  return { edus, sent };
}

/** The next changes of devices that a server is to be told of. */
export async function takeDeviceLists(context: TroupeContext, destination: Destination): Promise<StoredEdus> {
  if (!destination.mayHaveDeviceLists) return NOTHING;
  const { name } = destination;
  // Before the reading: what is stored while it reads raises it again.
  destination.mayHaveDeviceLists = false;
  const changes = await readOutboundChanges(context.env.db, name, DEVICE_CHANGES_PER_TRANSACTION);
  const upTo = changes.at(-1)?.position;
  if (upTo === undefined) return NOTHING;
  destination.mayHaveDeviceLists = true;
  const { edus, sent } = await updatesOf(context, name, changes);
  return {
    edus,
    async settle() {
      const steps = [...sent].map(([userId, sentUpTo]) =>
        step(upsertSentDeviceList, { destination: name, userId, sentUpTo }),
      );
      if (steps.length > 0 && (await commit(context, steps)).kind !== 'committed') return false;
      const request = { destination: name, upTo };
      return !isRefusal(await context.ref('device-lists').ask('device-lists.delete-sent', request));
    },
  };
}

/** The next messages for devices of a server's users. */
export async function takeMessages(context: TroupeContext, destination: Destination): Promise<StoredEdus> {
  if (!destination.mayHaveMessages) return NOTHING;
  const { name } = destination;
  destination.mayHaveMessages = false;
  const messages = await readOutboundMessages(context.env.db, name, MESSAGES_PER_TRANSACTION);
  const upTo = messages.at(-1)?.position;
  if (upTo === undefined) return NOTHING;
  destination.mayHaveMessages = true;
  return {
    edus: messages.map(({ content }) => ({
      edu_type: 'm.direct_to_device',
      content: JSON.parse(content) as JsonObject,
    })),
    async settle() {
      const request = { destination: name, upTo };
      return !isRefusal(await context.ref('to-device').ask('to-device.delete-sent', request));
    },
  };
}
