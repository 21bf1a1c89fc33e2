import { isJsonObject, type Json } from '../../kit/json.ts';

/** The thread of everything that is in no other. Client-Server API v1.19, "Threaded read receipts". */
export const MAIN_THREAD = 'main';

/** How far relations are followed to find an event's thread. Client-Server API v1.19, "Threading". */
export const RELATIONS_FOLLOWED_MAX = 3;

/** What the content of an event says about its thread: it is in that of a root, in that of another event, or in none. */
export type ThreadHint =
  | { readonly kind: 'root'; readonly eventId: string }
  | { readonly kind: 'parent'; readonly eventId: string }
  | { readonly kind: 'none' };

/**
 * Where an event's thread is to be looked for: an event that relates to another in any way but `m.thread` is in the thread of that one.
 * Client-Server API v1.19, "Threaded read receipts".
 *
 * @param isState state events are in no thread
 */
export function threadHintOf(content: Json | undefined, isState: boolean): ThreadHint {
  const relation = isJsonObject(content) ? content['m.relates_to'] : undefined;
  if (isState || !isJsonObject(relation)) return { kind: 'none' };
  const { rel_type: relType, event_id: eventId } = relation;
  if (typeof eventId !== 'string' || typeof relType !== 'string') return { kind: 'none' };
  return { kind: relType === 'm.thread' ? 'root' : 'parent', eventId };
}
