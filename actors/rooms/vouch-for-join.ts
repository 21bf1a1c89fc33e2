import { countersignEvent } from '../../src/matrix/events/event-signatures.ts';
import { checkPduFormat, type Pdu } from '../../src/matrix/events/pdu.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { withSettledRoom } from './build-member.ts';
import { AUTHORISED_VIA, findMembership } from './change-membership.ts';
import { restrictedRefusal } from './make-join.ts';
import type { RoomsProtocol } from './protocol.ts';
import { judgeRestrictedJoin } from './restricted-join.ts';
import type { Room } from './room-memory.ts';
import type { RoomsDesk } from './rooms-desk.ts';

type Vouch = InputOf<RoomsProtocol, 'rooms.vouch-for-join'>;
type Vouched = OutputOf<RoomsProtocol, 'rooms.vouch-for-join'>;

/** Whether the room lets the user in now, for whatever reason: the join may come long after its template. */
async function refuseJoin(desk: RoomsDesk, room: Room, userId: string): Promise<Refusal | undefined> {
  const current = await findMembership(room, userId);
  if (current === 'ban') return refuse('M_FORBIDDEN', `${userId} is banned from the room`);
  if (current === 'join' || current === 'invite') return undefined;
  const join = await judgeRestrictedJoin(desk, room, userId);
  return join.kind === 'not-restricted' || join.kind === 'granted' ? undefined : restrictedRefusal(join);
}

/**
 * Signs another server's join into a restricted room, where a user of ours lets the joining user in. Whether that user may is for the
 * authorisation rules to say, as for every event.
 * Server-Server API v1.19, "Restricted rooms"; `PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}`.
 */
export function vouchForJoin(desk: RoomsDesk, { roomId, pdu: given }: Vouch): Promise<Vouched> {
  return withSettledRoom(desk, roomId, async (room): Promise<Vouched> => {
    const wrong = checkPduFormat(room.version, given);
    if (wrong !== null) return wrong;
    const pdu = given as Pdu;
    const { type, room_id: ofRoom, sender, state_key: userId, content } = pdu;
    const isJoin = type === 'm.room.member' && content['membership'] === 'join' && userId === sender;
    if (!isJoin || ofRoom !== roomId) return refuse('M_BAD_JSON', `the event is no join of ${roomId}`);
    const via = content[AUTHORISED_VIA];
    if (typeof via !== 'string' || !isOfServer(via, desk.serverName))
      return refuse('M_BAD_JSON', 'no user of this server lets the user in');
    const refusal = await refuseJoin(desk, room, sender);
    if (refusal !== undefined) return refusal;
    return { kind: 'vouched', pdu: countersignEvent(room.version, pdu, desk.stage.signer) };
  });
}
