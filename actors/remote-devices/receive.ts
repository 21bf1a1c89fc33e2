import { type StoredList, readRemoteLists } from '../../db/remote-devices/reader.ts';
import {
  markStale,
  noteUnannounced,
  removeList,
  storeDevice,
  storeSigningKeys,
} from '../../db/remote-devices/writer.ts';
import { readSharingUsers } from '../../db/rooms/sharing-reader.ts';
import {
  parseDeviceListUpdate,
  parseRemoteSigningKey,
  publicKeysOf,
  type RemoteUpdate,
} from '../../src/federation/queries/device-list.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { domainOf } from '../../src/matrix/identifiers/domain.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import type { Lanes } from './lanes.ts';
import type { ListFetcher } from './list-fetcher.ts';
import type { ListStore } from './list-store.ts';
import type { RemoteDevicesProtocol } from './protocol.ts';

type Edu = InputOf<RemoteDevicesProtocol, 'remote-devices.receive-update'>;
type Taken = OutputOf<RemoteDevicesProtocol, 'remote-devices.receive-update'>;

/** The parts of the actor that take what other servers tell. */
export interface Reception {
  readonly context: TroupeContext;
  readonly store: ListStore;
  readonly fetcher: ListFetcher;
  readonly lanes: Lanes;
}

const TAKEN: Taken = { kind: 'taken' };
const IGNORED: Taken = { kind: 'ignored' };

/** The list of a user who shares a room; null when there is none, undefined when the user shares no room. */
async function findList(
  { context, store }: Reception,
  userId: string,
): Promise<StoredList | null | undefined> {
  const { db } = context.env;
  const [list] = await readRemoteLists(db, [userId]);
  if ((await readSharingUsers(db, [userId])).has(userId)) return list ?? null;
  if (list !== undefined) await store.write(removeList(userId));
  return undefined;
}

/** Does the update follow what is known? Ids grow: what is below the newest is in the list. */
function isNext(list: StoredList, { previous }: RemoteUpdate): boolean {
  return list.isStale === 0 && previous.length > 0 && previous.every((id) => id <= list.streamId);
}

/** Something was missed: the whole list is asked for, and nobody is told before it has been. */
async function resync(
  { context, store, fetcher }: Reception,
  { userId, deviceId }: RemoteUpdate,
): Promise<void> {
  await fetcher.refresh(userId);
  if (!context.ended.aborted) await store.announce(userId, [deviceId]);
}

/**
 * Handles `remote-devices.receive-update`. A list that nobody has wanted is not fetched either: clients are told, and whoever needs it asks.
 * Server-Server API v1.19, "Device Management".
 */
export async function receiveUpdate(reception: Reception, { origin, content }: Edu): Promise<Taken> {
  const { context, store, fetcher, lanes } = reception;
  const update = parseDeviceListUpdate(content);
  if (update === undefined || domainOf(update.userId) !== origin) return IGNORED;
  const { userId, deviceId, streamId, keys } = update;
  return lanes.run(userId, async () => {
    const list = await findList(reception, userId);
    if (list === undefined) return IGNORED;
    fetcher.noteUpdate(userId, streamId);
    if (list === null) await store.change(userId, [deviceId], []);
    else if (isNext(list, update)) {
      if (streamId <= list.streamId) return TAKEN;
      const text = keys === null ? null : JSON.stringify(keys);
      await store.change(userId, [deviceId], storeDevice(userId, deviceId, text, streamId));
    } else if (await store.write([markStale(userId), ...noteUnannounced(userId, [deviceId])]))
      resync(reception, update).catch((error: unknown) => context.crash(error));
    return TAKEN;
  });
}

function textOf(key: JsonObject | null): string | null {
  return key === null ? null : JSON.stringify(key);
}

/** Handles `remote-devices.receive-signing-keys`. Server-Server API v1.19, "End-to-End Encryption", `m.signing_key_update`. */
export async function receiveSigningKeys(reception: Reception, { origin, content }: Edu): Promise<Taken> {
  const { store, fetcher, lanes } = reception;
  const { user_id: userId } = content;
  if (typeof userId !== 'string' || domainOf(userId) !== origin) return IGNORED;
  const masterKey = parseRemoteSigningKey(content['master_key'], userId, 'master');
  const selfSigningKey = parseRemoteSigningKey(content['self_signing_key'], userId, 'self_signing');
  const changed = [masterKey, selfSigningKey].flatMap((key) => (key === null ? [] : publicKeysOf(key)));
  if (changed.length === 0) return IGNORED;
  return lanes.run(userId, async () => {
    const list = await findList(reception, userId);
    if (list === undefined) return IGNORED;
    // These have no place in the order of the lists: one that is under way may be from before.
    fetcher.noteUpdate(userId, Number.MAX_SAFE_INTEGER);
    const keys = { masterKey: textOf(masterKey), selfSigningKey: textOf(selfSigningKey) };
    await store.change(userId, changed, list === null ? [] : [storeSigningKeys(userId, keys)]);
    return TAKEN;
  });
}
