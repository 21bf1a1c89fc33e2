import type { JsonObject } from '../../kit/json.ts';
import {
  MAIN_THREAD,
  RELATIONS_FOLLOWED_MAX,
  type ThreadHint,
  threadHintOf,
} from '../../matrix/push/thread.ts';
import { clientEventsCache } from '../caches/client-events.ts';
import type { PushServices } from './event-facts.ts';

async function hintOfParent({ cached }: PushServices, roomId: string, eventId: string): Promise<ThreadHint> {
  const event = await cached.get(clientEventsCache, eventId);
  if (event === null || event.roomId !== roomId) return { kind: 'none' };
  return threadHintOf(event.content, event.stateKey !== null);
}

/** The root of the thread that an event is in, or `main`. Client-Server API v1.19, "Threaded read receipts". */
export async function findThreadId(
  services: PushServices,
  roomId: string,
  event: JsonObject,
): Promise<string> {
  let hint = threadHintOf(event['content'], event['state_key'] !== undefined);
  for (let followed = 0; hint.kind === 'parent' && followed < RELATIONS_FOLLOWED_MAX; followed += 1)
    hint = await hintOfParent(services, roomId, hint.eventId);
  return hint.kind === 'root' ? hint.eventId : MAIN_THREAD;
}
