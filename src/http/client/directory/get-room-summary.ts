import { Type } from 'typebox';
import {
  findDescription,
  findSeeker,
  mayKnowOf,
  mayKnowOfRemote,
  type Seeker,
  STRANGER,
} from '../../../directory/room-discovery.ts';
import { toRoomSummary } from '../../../directory/room-summary.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { domainOf } from '../../../matrix/identifiers/domain.ts';
import { parseRoomAlias } from '../../../matrix/identifiers/room-alias.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import type { Services } from '../../kit/services.ts';
import { findRoomId } from '../membership/find-room-id.ts';
import { VIA_QUERY, viaOf } from '../membership/via.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';
import { findAliasAnywhere } from './find-alias.ts';

type SummaryServices = Pick<Services, 'db' | 'cached' | 'config' | 'remoteQueries'>;

/** A room that was named, and servers that may be in it. */
interface NamedElsewhere {
  readonly roomId: string;
  readonly via: readonly string[];
}

async function findHere({ db }: SummaryServices, idOrAlias: string): Promise<NamedElsewhere | Refusal> {
  const named = await findRoomId(db, idOrAlias);
  return isRefusal(named) ? named : { roomId: named.roomId, via: [] };
}

async function findAnywhere(services: SummaryServices, idOrAlias: string): Promise<NamedElsewhere | Refusal> {
  if (parseRoomAlias(idOrAlias) !== undefined) {
    const alias = await findAliasAnywhere(services, idOrAlias);
    return isRefusal(alias) ? alias : { roomId: alias.roomId, via: alias.servers };
  }
  const maker = domainOf(idOrAlias);
  const named = await findHere(services, idOrAlias);
  return isRefusal(named) || maker === undefined ? named : { ...named, via: [maker] };
}

/** A room that this server is not in, as other servers tell of it. */
async function findRemoteSummary(
  { remoteQueries }: SummaryServices,
  seeker: Seeker,
  roomId: string,
  via: readonly string[],
): Promise<JsonObject | undefined> {
  const space = await remoteQueries.space(roomId, via, false);
  if (isRefusal(space)) return undefined;
  const { summary } = space.room;
  return mayKnowOfRemote(seeker, summary) ? summary : undefined;
}

/** @param membership of the caller; null for who is not logged in */
function withOwn(summary: JsonObject, membership: string | null): JsonObject {
  const { room_version: version, encryption } = summary;
  // The names of before this was part of the specification.
  const older = {
    ...(version !== undefined && {
      'im.nheko.summary.version': version,
      'im.nheko.summary.room_version': version,
    }),
    ...(encryption !== undefined && { 'im.nheko.summary.encryption': encryption }),
  };
  return { ...summary, ...(membership !== null && { membership }), ...older };
}

/** What a room is, for who may want to join it. Who is not logged in, and guests, learn it of rooms that everybody may join or read. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v1/room_summary/{roomIdOrAlias}',
  aliases: [
    '/_matrix/client/unstable/im.nheko.summary/summary/{roomIdOrAlias}',
    '/_matrix/client/unstable/im.nheko.summary/rooms/{roomIdOrAlias}/summary',
  ],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v1/room_summary/{roomIdOrAlias}',
  auth: 'optional',
  allows: ['guest'],
  rateLimit: 'reading',
  params: Type.Object({ roomIdOrAlias: Type.String() }),
  query: VIA_QUERY,
  reply: ANY_OBJECT,
  needs: ['db', 'cached', 'config', 'remoteQueries'],
  async handle({ params, query, caller, services }) {
    if (caller === null && !services.config.rooms.directoryForEverybody)
      return refuse('M_MISSING_TOKEN', 'The directory is for users of this server.');
    // Who is not logged in does not make this server ask others.
    const named = await (caller === null ? findHere : findAnywhere)(services, params.roomIdOrAlias);
    if (isRefusal(named)) return named;
    const seeker = caller === null ? STRANGER : await findSeeker(services, caller);
    const room = await findDescription(services, named.roomId);
    if (room === undefined && caller !== null) {
      const via = [...viaOf(query), ...named.via];
      const summary = await findRemoteSummary(services, seeker, named.roomId, via);
      if (summary !== undefined) return withOwn(summary, seeker.memberships.get(named.roomId) ?? 'leave');
    }
    // Nobody learns from the answer whether there is a room that is not for them.
    if (room === undefined || !mayKnowOf(seeker, room))
      return refuse('M_NOT_FOUND', 'There is no such room, or it is not for you.');
    const summary = toRoomSummary(room);
    return withOwn(summary, caller === null ? null : (seeker.memberships.get(room.roomId) ?? 'leave'));
  },
});
