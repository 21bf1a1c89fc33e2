import { type Static, Type } from 'typebox';
import { readProfile } from '../../../../db/accounts/reader.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';

/** Content with the reason that was given for a change of membership. */
export function reasonContent(reason: string | undefined): JsonObject {
  return reason === undefined ? {} : { reason };
}

const REDACT_EVENTS = 'org.matrix.msc4293.redact_events';

/** The body that removes a user from a room; with what the user has sent, if it says so: MSC4293. */
export const REMOVAL_BODY = Type.Object({
  user_id: Type.String(),
  reason: Type.Optional(Type.String()),
  [REDACT_EVENTS]: Type.Optional(Type.Boolean()),
});

/** What such a body says for the member event. */
export function removalContent(body: Static<typeof REMOVAL_BODY>): JsonObject {
  const redacts = body[REDACT_EVENTS] === true ? { [REDACT_EVENTS]: true } : {};
  return { ...reasonContent(body.reason), ...redacts };
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
