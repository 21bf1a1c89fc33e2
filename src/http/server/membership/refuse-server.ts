import { mayTakePart } from '../../../federation/server-acl.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { Caches } from '../../../streams/cache.ts';

/** Refuses with M_FORBIDDEN a server that the room shuts out. Server-Server API v1.19, "Server Access Control Lists (ACLs)". */
export async function refuseServer(
  caches: Caches,
  roomId: string,
  serverName: string,
): Promise<Refusal | undefined> {
  if (await mayTakePart(caches, roomId, serverName)) return undefined;
  return refuse('M_FORBIDDEN', `${serverName} is shut out of the room.`);
}
