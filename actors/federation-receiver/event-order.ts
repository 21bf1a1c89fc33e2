import { edgeIds, type Pdu } from '../../src/matrix/events/pdu.ts';
import type { ReceivedEvent } from '../rooms/protocol.ts';

/** An event whose checks were right, read. */
export interface ValidEvent {
  readonly event: ReceivedEvent;
  readonly pdu: Pdu;
}

/** Reads an event that was found valid. */
export function readValid(event: ReceivedEvent): ValidEvent {
  return { event, pdu: JSON.parse(event.pdu) as Pdu };
}

/** The events that an event names: it comes after them. */
export function namedIds({ pdu }: ValidEvent): readonly string[] {
  return [...edgeIds(pdu.prev_events), ...edgeIds(pdu.auth_events)];
}

/**
 * The same events, each after those among them that it follows or that authorise it, otherwise in the order given. Of events that name each
 * other (room versions 1 and 2) any comes first.
 */
export function inCausalOrder(events: readonly ValidEvent[]): readonly ValidEvent[] {
  const byId = new Map(events.map((one) => [one.event.eventId, one]));
  const ordered: ValidEvent[] = [];
  const begun = new Set<string>();
  for (const first of byId.values()) {
    const stack = [{ one: first, isDone: false }];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      const { one, isDone } = top;
      if (isDone) {
        ordered.push(one);
        continue;
      }
      if (begun.has(one.event.eventId)) continue;
      begun.add(one.event.eventId);
      stack.push({ one, isDone: true });
      for (const id of namedIds(one)) {
        const named = byId.get(id);
        if (named !== undefined && !begun.has(id)) stack.push({ one: named, isDone: false });
      }
    }
  }
  return ordered;
}
