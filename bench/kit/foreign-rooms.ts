import type { Program } from '../../actors/program.ts';
import { domainOf } from '../../src/matrix/identifiers/domain.ts';
import { type ForeignRoom, received } from '../../test/support/foreign-room.ts';
import { testAuthority } from '../../test/support/test-certificates.ts';

/**
 * The variables of a server that finds others on loopback addresses.
 *
 * @param folder where certificates are written
 */
export function loopbackEnvironment(folder: string): Record<string, string> {
  return {
    TROUPE_DATA_PATH: folder,
    TROUPE_FEDERATION_CA_FILE: testAuthority().writeTo(folder).ca,
    TROUPE_FEDERATION_ALLOW_PRIVATE_ADDRESSES: 'true',
    TROUPE_FEDERATION_TRUSTED_KEY_SERVERS: '[]',
  };
}

/** Lets local users join a room of another server, which is the last thing that happens in it, through the owner of rooms. */
export async function moveIn(program: Program, room: ForeignRoom, userIds: readonly string[]): Promise<void> {
  const [last, ...others] = userIds.toReversed();
  if (last === undefined) throw new Error('nobody joins');
  for (const userId of others) room.member(userId, 'join');
  const state = room.state().map(received);
  const reply = await program.supervisor.ref('rooms').ask('rooms.accept-join', {
    roomId: room.roomId,
    roomVersion: room.version,
    event: received(room.member(last, 'join')),
    state,
    authChain: state,
    receivedFrom: domainOf(room.creator) ?? '',
    partial: null,
  });
  if (reply.kind !== 'sent') throw new Error(`accept-join: ${reply.error}`);
}
