/** Values of `m.room.history_visibility`. */
export type HistoryVisibility = 'invited' | 'joined' | 'shared' | 'world_readable';

/** A user, an event, and the room's state at the event. */
export interface VisibilityQuestion {
  /** `content.history_visibility` in the state before the event, of whatever type it is; undefined where the state has none. */
  readonly historyVisibilityAtEvent: unknown;
  /** The value that the event itself sets, if it is `m.room.history_visibility`: either of the two may let the user in. */
  readonly historyVisibilityOfEvent?: unknown;
  /** The user's membership in the state before the event; null for none. */
  readonly membershipAtEvent: string | null;
  /** The membership that the event itself gives the user, if it is the user's own `m.room.member`: likewise. */
  readonly membershipOfEvent?: string;
  /** The user is in the room now, or joined it at any point after the event, even if only for a while. */
  readonly isCurrentlyOrLaterJoined: boolean;
}

const KNOWN: ReadonlySet<unknown> = new Set<HistoryVisibility>([
  'invited',
  'joined',
  'shared',
  'world_readable',
]);

/** Reads a history visibility; what is missing or not understood counts as `shared`. */
export function parseHistoryVisibility(value: unknown): HistoryVisibility {
  return KNOWN.has(value) ? (value as HistoryVisibility) : 'shared';
}

/**
 * Decides whether a user may see an event.
 * Client-Server API v1.19, "Room History Visibility", "Server behaviour", rules 1 to 5 and the two exceptions after them.
 */
export function mayUserSeeEvent(question: VisibilityQuestion): boolean {
  const { historyVisibilityAtEvent, membershipAtEvent, isCurrentlyOrLaterJoined } = question;
  const visibilities = [parseHistoryVisibility(historyVisibilityAtEvent)];
  if (question.historyVisibilityOfEvent !== undefined) {
    visibilities.push(parseHistoryVisibility(question.historyVisibilityOfEvent));
  }
  const memberships = [membershipAtEvent];
  if (question.membershipOfEvent !== undefined) memberships.push(question.membershipOfEvent);
  return visibilities.some((visibility) =>
    memberships.some((membership) => isVisible(visibility, membership, isCurrentlyOrLaterJoined)),
  );
}

function isVisible(
  visibility: HistoryVisibility,
  membership: string | null,
  isCurrentlyOrLaterJoined: boolean,
): boolean {
  if (visibility === 'world_readable' || membership === 'join') return true;
  if (visibility === 'shared') return isCurrentlyOrLaterJoined;
  return visibility === 'invited' && membership === 'invite';
}
