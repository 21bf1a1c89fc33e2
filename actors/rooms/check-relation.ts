import { findRelType, hasAnnotated } from '../../db/rooms/relation-reader.ts';
import { type Relation } from '../../src/matrix/events/relation.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { Room } from './room-memory.ts';
import type { RoomsDesk } from './rooms-desk.ts';
import type { Proposal } from './stage-event.ts';

/** Names an annotation: one like it is not sent twice. */
export function annotationName({ sender, type }: Proposal, { parentId, key }: Relation): string {
  return JSON.stringify([sender, type, parentId, key]);
}

/**
 * Whether an event may relate to another one as it says. Of what its sender may not send at all nothing is found out here.
 * Client-Server API v1.19, "Avoiding duplicate annotations", "Validation of m.thread relationships".
 *
 * @returns refused with M_DUPLICATE_ANNOTATION, or M_UNKNOWN for a thread that begins at an event which itself relates to one
 */
export async function checkRelation(
  desk: Pick<RoomsDesk, 'db'>,
  room: Room,
  proposal: Proposal,
  relation: Relation,
): Promise<Refusal | undefined> {
  const { sender, type } = proposal;
  if (room.state.find('m.room.member', sender)?.content['membership'] !== 'join') return undefined;
  const { relType, parentId, key } = relation;
  if (relType === 'm.annotation' && key !== null) {
    const isRepeated =
      room.annotating.has(annotationName(proposal, relation)) ||
      (await hasAnnotated(desk.db, { roomNid: room.roomNid, parentId, sender, type, key }));
    if (isRepeated) return refuse('M_DUPLICATE_ANNOTATION', 'You have annotated this event so already.');
  }
  if (relType === 'm.thread' && (await findRelType(desk.db, room.roomNid, parentId)) !== undefined)
    return refuse('M_UNKNOWN', 'Cannot start threads from an event with a relation', { status: 400 });
  return undefined;
}
