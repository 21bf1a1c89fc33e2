import type { WriteStep } from '../../db/kit/write-set.ts';
import { type OutOfBandMember, storeOutOfBandMember } from '../../db/rooms/out-of-band-writer.ts';
import type { EventsRow } from '../../db/rooms/stream-reader.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { Fact } from '../../src/streams/fact.ts';
import type { Sent } from './protocol.ts';
import type { RoomsDesk } from './rooms-desk.ts';

/**
 * Stores a membership of a local user in a room that this server is not in, and tells of it.
 *
 * @param options `before`: steps that come first; `facts`: what became true beside it
 */
export async function commitOutOfBand(
  desk: Pick<RoomsDesk, 'commit'>,
  roomId: string,
  member: OutOfBandMember,
  options: { readonly before?: readonly WriteStep[]; readonly facts?: readonly Fact[] } = {},
): Promise<Sent | Refusal> {
  const { userId, eventId, membership } = member;
  const row: EventsRow = {
    kind: 'state',
    roomId,
    type: 'm.room.member',
    stateKey: userId,
    eventId,
    membership,
  };
  const steps = [...(options.before ?? []), ...storeOutOfBandMember(member, 0)];
  const { facts = [] } = options;
  const position = await desk.commit({ roomId, rows: [row], steps, isOurs: false, facts });
  return isRefusal(position) ? position : { kind: 'sent', eventId, position };
}
