import { type Static, Type } from 'typebox';
import type { PresenceState } from '../../../../actors/presence/protocol.ts';

/** What a client may say of presence. Client-Server API v1.19, "Presence"; the last two: MSC3026. */
export const PRESENCE = Type.Union([
  Type.Literal('online'),
  Type.Literal('offline'),
  Type.Literal('unavailable'),
  Type.Literal('busy'),
  Type.Literal('org.matrix.msc3026.busy'),
]);

/** The one word for what a client has said. */
export function presenceOf(presence: Static<typeof PRESENCE>): PresenceState {
  return presence === 'busy' ? 'org.matrix.msc3026.busy' : presence;
}
