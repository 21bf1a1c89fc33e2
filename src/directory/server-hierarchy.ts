import type { JsonObject } from '../kit/json.ts';
import { type Refusal, refuse } from '../matrix/refusal.ts';
import type { ReadServices } from '../sync/sync-services.ts';
import { makeTurnTaker } from '../sync/yield-turn.ts';
import { spaceChildrenCache } from './caches/space-children.ts';
import { findDescription, mayServerKnowOf, type SeekingServer } from './room-discovery.ts';
import { toRoomSummary } from './room-summary.ts';

/** Children of one answer. */
export const CHILDREN_FOR_SERVER_MAX = 250;

const SPACE = 'm.space';

/** A room and its children, for another server. */
export interface SpaceForServer {
  readonly kind: 'space';
  readonly room: JsonObject;
  readonly children: readonly JsonObject[];
  /** Children that this server knows and the other one may not. */
  readonly inaccessible: readonly string[];
}

/**
 * Reads what another server may know of a room and of its children; children that this server is not in are left out.
 * Server-Server API v1.19, `GET /_matrix/federation/v1/hierarchy/{roomId}`.
 *
 * @returns refused with M_NOT_FOUND for a room that is not there or is not for that server
 */
export async function readSpaceForServer(
  services: Pick<ReadServices, 'cached'>,
  server: SeekingServer,
  roomId: string,
  suggestedOnly: boolean,
): Promise<SpaceForServer | Refusal> {
  const room = await findDescription(services, roomId);
  if (room === undefined || !(await mayServerKnowOf(server, room)))
    return refuse('M_NOT_FOUND', 'There is no such room, or it is not for you.');
  const all = room.roomType === SPACE ? await services.cached.get(spaceChildrenCache, roomId) : [];
  const shown = suggestedOnly ? all.filter(({ isSuggested }) => isSuggested) : all;
  const giveWay = makeTurnTaker();
  const children: JsonObject[] = [];
  const inaccessible: string[] = [];
  for (const { roomId: childId } of shown.slice(0, CHILDREN_FOR_SERVER_MAX)) {
    await giveWay();
    const child = await findDescription(services, childId);
    if (child === undefined) continue;
    if (await mayServerKnowOf(server, child)) children.push(toRoomSummary(child));
    else inaccessible.push(childId);
  }
  const state = shown.map(({ event }) => event);
  return { kind: 'space', room: { ...toRoomSummary(room), children_state: state }, children, inaccessible };
}
