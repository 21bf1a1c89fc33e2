import type { RemoteDevices } from '../../../../actors/remote-devices/protocol.ts';
import { AskFailed } from '../../../../actors/kit/ref.ts';
import { readSignatures, type StoredSignature } from '../../../../db/keys/reader.ts';
import { readKnownLists } from '../../../federation/queries/known-lists.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { domainOf, isOfServer } from '../../../matrix/identifiers/domain.ts';
import { parseUserId } from '../../../matrix/identifiers/user-id.ts';
import type { Services } from '../../kit/services.ts';
import { withSignatures } from './local-keys.ts';

/** How long other servers may take when the client does not say, and at most, in milliseconds. */
export const REMOTE_TIMEOUT_MS_DEFAULT = 10_000;
const REMOTE_TIMEOUT_MS_MAX = 60_000;
/** How much longer the actor's own answer may take, in milliseconds. */
const ANSWER_MARGIN_MS = 10_000;

type KeyServices = Pick<Services, 'db' | 'remote-devices'>;

/** The keys of users of other servers, in the form of `POST /_matrix/client/v3/keys/query`. */
export interface RemoteKeys {
  readonly device_keys: Readonly<Record<string, JsonObject>>;
  readonly master_keys: Readonly<Record<string, JsonObject>>;
  readonly self_signing_keys: Readonly<Record<string, JsonObject>>;
  readonly failures: Readonly<Record<string, JsonObject>>;
}

/** How long other servers may take, of what a client says. */
export function remoteTimeoutMs(timeout: number | undefined): number {
  return Math.max(0, Math.min(timeout ?? REMOTE_TIMEOUT_MS_DEFAULT, REMOTE_TIMEOUT_MS_MAX));
}

function nobodyAnswers(userIds: readonly string[]): Readonly<Record<string, JsonObject>> {
  const failure = { errcode: 'M_UNKNOWN', error: 'Other servers cannot be asked now.' };
  return Object.fromEntries(userIds.map((userId) => [domainOf(userId) ?? '', failure]));
}

/**
 * The devices of users of other servers: from the database while their lists are followed, from their servers otherwise.
 *
 * @returns the users of whom something is known; and by server name why others could not be asked
 */
export async function findRemoteDevices(
  services: KeyServices,
  userIds: readonly string[],
  timeoutMs: number,
): Promise<{
  readonly users: readonly RemoteDevices[];
  readonly failures: Readonly<Record<string, JsonObject>>;
}> {
  const lists = await readKnownLists(services.db, userIds);
  const fresh = new Map(lists.filter(({ isStale }) => !isStale).map((list) => [list.userId, list]));
  const unknown = userIds.filter((userId) => !fresh.has(userId));
  if (unknown.length === 0) return { users: lists, failures: {} };
  try {
    const asked = await services['remote-devices'].ask(
      'remote-devices.find-devices',
      { userIds: unknown, timeoutMs },
      { deadlineMs: timeoutMs + ANSWER_MARGIN_MS },
    );
    return { users: [...fresh.values(), ...asked.users], failures: asked.failures };
  } catch (error) {
    // Whoever asks for many users gets at least those of this server.
    if (!(error instanceof AskFailed)) throw error;
    return { users: lists, failures: nobodyAnswers(unknown) };
  }
}

/**
 * Reads the keys of users of other servers, with the signatures that the asking user has made.
 * Client-Server API v1.19, `POST /_matrix/client/v3/keys/query`.
 *
 * @param wanted device ids by user id; an empty list stands for all devices of the user
 */
export async function readRemoteKeys(
  services: KeyServices,
  wanted: ReadonlyMap<string, readonly string[]>,
  askedBy: string,
  timeoutMs: number,
): Promise<RemoteKeys> {
  const userIds = [...wanted.keys()];
  if (userIds.length === 0) return { device_keys: {}, master_keys: {}, self_signing_keys: {}, failures: {} };
  const { users, failures } = await findRemoteDevices(services, userIds, timeoutMs);
  const signatures = await readSignatures(services.db, userIds, askedBy);
  const byTarget = Map.groupBy(
    signatures,
    ({ targetUserId, targetKeyId }) => `${targetUserId} ${targetKeyId}`,
  );
  const signed = (userId: string, key: JsonObject): JsonObject => {
    const added: StoredSignature[] = Object.values(key['keys'] ?? {}).flatMap(
      (publicKey) => byTarget.get(`${userId} ${String(publicKey)}`) ?? [],
    );
    return withSignatures(key, added);
  };
  const present = (field: 'masterKey' | 'selfSigningKey'): [string, JsonObject][] =>
    users.flatMap((user) => {
      const key = user[field];
      return key === null ? [] : [[user.userId, key]];
    });
  return {
    device_keys: Object.fromEntries(
      users.map(({ userId, deviceKeys }) => {
        const only = new Set(wanted.get(userId));
        const shown = Object.entries(deviceKeys).filter(([id]) => only.size === 0 || only.has(id));
        return [userId, Object.fromEntries(shown)];
      }),
    ),
    master_keys: Object.fromEntries(
      present('masterKey').map(([userId, key]) => [userId, signed(userId, key)]),
    ),
    self_signing_keys: Object.fromEntries(present('selfSigningKey')),
    failures,
  };
}

/** The master keys of those of the users who are of other servers and have one. */
export async function findRemoteMasters(
  services: KeyServices & Pick<Services, 'config'>,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, JsonObject>> {
  const remote = userIds.filter(
    (userId) => parseUserId(userId) !== undefined && !isOfServer(userId, services.config.server.name),
  );
  if (remote.length === 0) return new Map();
  const { users } = await findRemoteDevices(services, remote, REMOTE_TIMEOUT_MS_DEFAULT);
  return new Map(
    users.flatMap(({ userId, masterKey }) => (masterKey === null ? [] : [[userId, masterKey] as const])),
  );
}
