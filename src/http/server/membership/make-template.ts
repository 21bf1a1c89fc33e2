import { Type } from 'typebox';
import type { MemberTemplate } from '../../../../actors/rooms/protocol.ts';
import { parseUserId } from '../../../matrix/identifiers/user-id.ts';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { Caches } from '../../../streams/cache.ts';
import { refuseServer } from './refuse-server.ts';

/** Whose membership of which room is to change. */
export const MEMBER_PARAMS = Type.Object({ roomId: Type.String(), userId: Type.String() });

/** The room versions that the other server knows. */
export const VERSIONS_QUERY = Type.Object({ ver: Type.Optional(Type.Array(Type.String())) });

/** A member event for the user's server to finish. */
export const TEMPLATE_REPLY = Type.Object({
  room_version: Type.String(),
  event: Type.Record(Type.String(), Type.Unknown()),
});

/** The body of a template's answer. */
export interface TemplateBody {
  readonly room_version: string;
  readonly event: MemberTemplate['event'];
}

/**
 * Answers a server that asks for the template of a member event of one of its users.
 *
 * @param make asks the owner of rooms
 * @returns refused with M_FORBIDDEN for another server's user and for a server that the room shuts out, or as the owner of rooms refuses
 */
export async function makeTemplate(
  caches: Caches,
  origin: string,
  { roomId, userId }: { readonly roomId: string; readonly userId: string },
  make: () => Promise<MemberTemplate | Refusal>,
): Promise<TemplateBody | Refusal> {
  if (parseUserId(userId) === undefined) return refuse('M_INVALID_PARAM', 'userId is no user id.');
  if (!isOfServer(userId, origin)) return refuse('M_FORBIDDEN', `${userId} is not a user of ${origin}.`);
  const refused = await refuseServer(caches, roomId, origin);
  if (refused !== undefined) return refused;
  const template = await make();
  if (isRefusal(template)) return template;
  return { room_version: template.roomVersion, event: template.event };
}
