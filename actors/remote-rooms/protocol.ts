import type { JsonObject } from '../../src/kit/json.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { Ask } from '../kit/protocol.ts';
import type { Sent } from '../rooms/protocol.ts';

/**
 * Memberships that need another server. All are refused with what the other server said (M_FORBIDDEN, M_INCOMPATIBLE_ROOM_VERSION, …), or
 * M_NOT_FOUND / M_UNKNOWN (502) when none of the servers could be asked.
 */
export type RemoteRoomsProtocol = {
  /** A local user joins a room through another server: those of `via` are tried, then those that the room is known by. */
  'remote-rooms.join': Ask<
    {
      readonly roomId: string;
      readonly userId: string;
      readonly via: readonly string[];
      readonly content: JsonObject;
    },
    Sent | Refusal
  >;
  /** A local user knocks on a room that this server is not in. */
  'remote-rooms.knock': Ask<
    {
      readonly roomId: string;
      readonly userId: string;
      readonly via: readonly string[];
      readonly content: JsonObject;
    },
    Sent | Refusal
  >;
  /** A local user rejects an invite to, or takes a knock back from, a room that this server is not in; done here alone when nobody can be asked. */
  'remote-rooms.leave': Ask<
    { readonly roomId: string; readonly userId: string; readonly content: JsonObject },
    Sent | Refusal
  >;
  /** A local user invites a user of another server, whose server signs the invite. */
  'remote-rooms.invite': Ask<
    {
      readonly roomId: string;
      readonly sender: string;
      readonly target: string;
      readonly content: JsonObject;
    },
    Sent | Refusal
  >;
  /**
   * A user of another server invites a local one: checked, stored, and signed by us. Refused with M_INCOMPATIBLE_ROOM_VERSION, M_INVALID_PARAM,
   * M_MISSING_PARAM, M_BAD_JSON, M_FORBIDDEN.
   */
  'remote-rooms.receive-invite': Ask<
    {
      /** The server that sends it. */
      readonly origin: string;
      readonly roomId: string;
      readonly eventId: string;
      readonly roomVersion: string;
      readonly event: JsonObject;
      /** What tells the user what the room is: whole events, from older servers stripped ones. */
      readonly roomState: readonly JsonObject[];
    },
    { readonly kind: 'signed'; readonly event: JsonObject } | Refusal
  >;
  /**
   * A local user was found to be who was invited by e-mail or telephone: the room, or the inviter's server, makes an invite of it. Refused with
   * what was said.
   */
  'remote-rooms.exchange-invite': Ask<
    {
      readonly roomId: string;
      readonly sender: string;
      readonly target: string;
      /** `third_party_invite`. */
      readonly content: JsonObject;
    },
    { readonly kind: 'exchanged' } | Refusal
  >;
};
