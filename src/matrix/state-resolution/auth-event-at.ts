import type { ResolutionEvent, ResolutionSource } from './resolution.ts';

/** Among the auth events that an event itself names, the one of a place of the state; rejected ones too. */
export function findAuthEventAt(
  source: ResolutionSource,
  eventId: string,
  type: string,
  stateKey: string,
): ResolutionEvent | undefined {
  for (const authEventId of source.authEventIds(eventId)) {
    const authEvent = source.event(authEventId);
    if (authEvent.pdu.type === type && authEvent.pdu.state_key === stateKey) return authEvent;
  }
  return undefined;
}
