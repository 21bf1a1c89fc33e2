import type { JsonObject } from '../../src/kit/json.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { Ask } from '../kit/protocol.ts';
import type { Sent } from '../rooms/protocol.ts';

/** A room that was joined without its members, which are being fetched. Times are milliseconds since the Unix epoch. */
export interface PartialRoomState {
  readonly roomId: string;
  /** The server that has helped with the join. */
  readonly joinedVia: string;
  /** How many servers it named as being in the room. */
  readonly servers: number;
  /** When it was joined. */
  readonly sinceTs: number;
  /** How often several servers were asked in vain. */
  readonly failures: number;
  /** Who failed last, and why. */
  readonly lastError: string | null;
  /** When it is tried again; null while it is tried, or waits for its turn. */
  readonly retryTs: number | null;
  readonly isUnderWay: boolean;
}

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
  /** The rooms whose members are still being fetched; bounded. */
  'remote-rooms.read-partial-rooms': Ask<null, readonly PartialRoomState[]>;
  /** Fetches the members of one of them at once, whatever its back-off. False for a room that is whole, or not known. */
  'remote-rooms.retry-partial-room': Ask<
    { readonly roomId: string },
    { readonly kind: 'retried'; readonly isKnown: boolean }
  >;
  /**
   * Answered when no join of a room is under way and this thread sees what came of it: whoever helps with one may send what comes after it before
   * it is stored here. `hasWaited`: one was under way.
   */
  'remote-rooms.await-joined': Ask<
    { readonly roomId: string },
    { readonly kind: 'settled'; readonly hasWaited: boolean }
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
