import { findAccount, readProfileFields } from '../../../../db/accounts/reader.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import type { Json } from '../../../kit/json.ts';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';
import { parseUserId } from '../../../matrix/identifiers/user-id.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { Services } from '../../kit/services.ts';

/** A profile: its fields by name. */
export interface FoundProfile {
  readonly kind: 'profile';
  readonly fields: ReadonlyMap<string, Json>;
}

/**
 * The profile of a user of this server.
 *
 * @returns M_INVALID_PARAM for what is not a user id, M_NOT_FOUND for who does not exist here
 */
export async function findProfile(
  db: ReadDb,
  serverName: string,
  userId: string,
): Promise<FoundProfile | Refusal> {
  const parsed = parseUserId(userId);
  if (parsed === undefined) return refuse('M_INVALID_PARAM', 'The path does not name a user id.');
  const account = isOfServer(parsed, serverName) ? await findAccount(db, parsed) : undefined;
  if (account === undefined) return refuse('M_NOT_FOUND', 'There is no profile of this user.');
  const fields = await readProfileFields(db, parsed);
  return {
    kind: 'profile',
    fields: new Map(fields.map(({ field, value }) => [field, JSON.parse(value) as Json])),
  };
}

/**
 * The profile of a user of this server or another: of another it is some minutes old at most.
 * Client-Server API v1.19, `GET /_matrix/client/v3/profile/{userId}`.
 *
 * @returns the refusals of {@link findProfile}; 502 M_UNKNOWN when the other server does not answer
 */
export function findProfileAnywhere(
  services: Pick<Services, 'config' | 'db' | 'remoteQueries'>,
  userId: string,
): Promise<FoundProfile | Refusal> {
  const { name } = services.config.server;
  const parsed = parseUserId(userId);
  return parsed === undefined || isOfServer(parsed, name)
    ? findProfile(services.db, name, userId)
    : services.remoteQueries.profile(userId);
}
