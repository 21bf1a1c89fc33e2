import { compareCodePoints } from '../events/canonical-json.ts';
import { findAuthEventAt } from './auth-event-at.ts';
import type { ResolutionSource } from './resolution.ts';

/**
 * Sorts events by the mainline of a power levels event: that event, the power levels that it cites, the ones that these cite, and so
 * on. An event stands by the first of them that it meets when it walks along the power levels that it cites itself: those that meet
 * the oldest, or none, come first; then the older event, then the one with the smaller id. Room version 2, "Mainline ordering", v1.19.
 *
 * @param powerLevelsId the resolved power levels, if there are any
 */
export function sortByMainline(
  source: ResolutionSource,
  eventIds: readonly string[],
  powerLevelsId: string | undefined,
): readonly string[] {
  const positionOf = createMainline(source, powerLevelsId);
  return eventIds
    .map((eventId) => ({
      eventId,
      position: positionOf(citedPowerLevels(source, eventId)),
      originServerTs: source.event(eventId).pdu.origin_server_ts,
    }))
    .toSorted((left, right) => {
      if (left.position !== right.position) return left.position > right.position ? -1 : 1;
      if (left.originServerTs !== right.originServerTs) return left.originServerTs - right.originServerTs;
      return compareCodePoints(left.eventId, right.eventId);
    })
    .map(({ eventId }) => eventId);
}

/** Gives the position of a power levels event on the mainline, or that of the first one behind it that is on it; else infinity. */
function createMainline(
  source: ResolutionSource,
  powerLevelsId: string | undefined,
): (eventId: string | undefined) => number {
  const positions = new Map<string, number>();
  let cited = powerLevelsId;
  for (let position = 0; cited !== undefined && !positions.has(cited); position += 1) {
    positions.set(cited, position);
    cited = citedPowerLevels(source, cited);
  }
  return (start) => {
    const passed: string[] = [];
    let at = start;
    while (at !== undefined && !positions.has(at)) {
      passed.push(at);
      // Until the end is known, this keeps a circle from being walked for ever.
      positions.set(at, Infinity);
      at = citedPowerLevels(source, at);
    }
    const position = (at === undefined ? undefined : positions.get(at)) ?? Infinity;
    // Remembered for all on the way: side lines of ten thousand events are walked once.
    for (const eventId of passed) positions.set(eventId, position);
    return position;
  };
}

function citedPowerLevels(source: ResolutionSource, eventId: string): string | undefined {
  return findAuthEventAt(source, eventId, 'm.room.power_levels', '')?.eventId;
}
