import { readProfile } from '../../../../db/accounts/reader.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';

/** Content with the reason that was given for a change of membership. */
export function reasonContent(reason: string | undefined): JsonObject {
  return reason === undefined ? {} : { reason };
}

/** The name and avatar that a local user shows to the members of a room; nothing for a user of another server. */
export async function profileContent(db: ReadDb, serverName: string, userId: string): Promise<JsonObject> {
  if (!isOfServer(userId, serverName)) return {};
  const { displayname, avatarUrl } = await readProfile(db, userId);
  return {
    ...(displayname === null ? {} : { displayname }),
    ...(avatarUrl === null ? {} : { avatar_url: avatarUrl }),
  };
}
