import type { RemoteDevices } from '../../../actors/remote-devices/protocol.ts';
import type { ReadDb } from '../../../db/kit/read-db.ts';
import { readRemoteDevices, readRemoteLists } from '../../../db/remote-devices/reader.ts';
import type { JsonObject } from '../../kit/json.ts';

/** Users whose lists are read with one statement. */
const USERS_PER_READ = 200;

/** A followed device list as it is stored. */
export interface KnownList extends RemoteDevices {
  /** The newest update of its server that is in it. */
  readonly streamId: number;
  /** Something was missed: it is to be asked for. */
  readonly isStale: boolean;
}

function parse(text: string | null): JsonObject | null {
  return text === null ? null : (JSON.parse(text) as JsonObject);
}

async function readSome(db: ReadDb, userIds: readonly string[]): Promise<KnownList[]> {
  const [lists, devices] = await db.snapshot(async (snapshot) => [
    await readRemoteLists(snapshot, userIds),
    await readRemoteDevices(snapshot, userIds),
  ]);
  const byUser = Map.groupBy(devices, ({ userId }) => userId);
  return lists.map(({ userId, streamId, isStale, masterKey, selfSigningKey }) => ({
    userId,
    streamId,
    isStale: isStale === 1,
    deviceKeys: Object.fromEntries(
      (byUser.get(userId) ?? []).map(({ deviceId, keys }) => [deviceId, JSON.parse(keys) as JsonObject]),
    ),
    masterKey: parse(masterKey),
    selfSigningKey: parse(selfSigningKey),
  }));
}

/** The lists of those of the users of other servers whose devices are followed. */
export async function readKnownLists(db: ReadDb, userIds: readonly string[]): Promise<KnownList[]> {
  const lists: KnownList[] = [];
  for (let from = 0; from < userIds.length; from += USERS_PER_READ)
    lists.push(...(await readSome(db, userIds.slice(from, from + USERS_PER_READ))));
  return lists;
}
