import type { Program } from '../../actors/program.ts';
import type { JsonObject } from '../../src/kit/json.ts';

/** Events that wait for their commit at one moment. */
const EVENTS_AT_ONCE = 200;

/**
 * Sends message events through the owner of rooms.
 *
 * @param contentOf the content of each, by its number and the ids of those before its batch
 */
export async function fillRoom(
  program: Program,
  room: { readonly roomId: string; readonly sender: string },
  count: number,
  contentOf: (index: number, sent: readonly string[]) => JsonObject,
): Promise<void> {
  const rooms = program.supervisor.ref('rooms');
  const sent: string[] = [];
  const send = async (index: number): Promise<string> => {
    const event = { type: 'm.room.message', content: contentOf(index, sent) };
    const reply = await rooms.ask('rooms.send-event', {
      ...room,
      event,
      transaction: null,
      originServerTs: null,
    });
    if (reply.kind !== 'sent') throw new Error(`send: ${reply.error}`);
    return reply.eventId;
  };
  for (let start = 0; start < count; start += EVENTS_AT_ONCE) {
    const size = Math.min(EVENTS_AT_ONCE, count - start);
    const ids = await Promise.all(Array.from({ length: size }, (_, offset) => send(start + offset)));
    sent.push(...ids);
  }
}
