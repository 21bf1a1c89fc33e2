import type { JsonObject } from '../../src/kit/json.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import type { Ask } from '../kit/protocol.ts';

/** An event to be made by us: everything that the sender decides. */
export interface EventProposal {
  readonly type: string;
  /** Absent for message events. */
  readonly stateKey?: string;
  readonly content: JsonObject;
}

/** A client's transaction: the same one again gives the same event. Client-Server API v1.19, "Transaction identifiers". */
export interface ClientTransaction {
  readonly deviceId: string;
  /** The endpoint's path without the transaction id: transactions are scoped to it. */
  readonly path: string;
  readonly txnId: string;
}

/** An event that is stored; `position` is on the events stream. */
export interface Sent {
  readonly kind: 'sent';
  readonly eventId: string;
  readonly position: number;
}

export interface RoomCreated {
  readonly kind: 'created';
  readonly roomId: string;
  readonly position: number;
}

export type RoomsProtocol = StreamOwnerProtocol & {
  /**
   * Makes a room with all its first events, in one write: all or nothing. The caller has checked the shapes and built the list.
   * Refused with M_UNSUPPORTED_ROOM_VERSION, M_ROOM_IN_USE (alias), M_FORBIDDEN, M_INVALID_ROOM_STATE, M_BAD_JSON.
   */
  'rooms.create-room': Ask<
    {
      readonly creator: string;
      readonly roomVersion: string;
      readonly creationContent: JsonObject;
      /** After `m.room.create`, in order, the creator's own join included; each sent by the creator. */
      readonly events: readonly EventProposal[];
      /** The full alias to point at the room, or null. */
      readonly alias: string | null;
      readonly isPublic: boolean;
    },
    RoomCreated | Refusal
  >;
  /** Makes, authorises, stores and announces one event. Membership events go through `rooms.change-membership`. */
  'rooms.send-event': Ask<
    {
      readonly roomId: string;
      readonly sender: string;
      readonly event: EventProposal;
      readonly transaction: ClientTransaction | null;
      /** Only an application service may set it; null takes the clock. */
      readonly originServerTs: number | null;
    },
    Sent | Refusal
  >;
  /** Redacts an event: PUT redact, or `m.room.redaction` through send. */
  'rooms.redact-event': Ask<
    {
      readonly roomId: string;
      readonly sender: string;
      readonly eventId: string;
      readonly content: JsonObject;
      readonly transaction: ClientTransaction | null;
    },
    Sent | Refusal
  >;
  /**
   * Changes a membership. `unban` is a leave that needs the target to be banned. A join of who has joined, with the same content,
   * gives the event that stands.
   */
  'rooms.change-membership': Ask<
    {
      readonly roomId: string;
      readonly sender: string;
      readonly target: string;
      readonly action: 'join' | 'invite' | 'leave' | 'kick' | 'ban' | 'unban' | 'knock';
      /** `reason`, `displayname`, `avatar_url`, `is_direct`, …; the actor sets `membership`. */
      readonly content: JsonObject;
    },
    Sent | Refusal
  >;
  /** Writes a user's new profile into the member events of the rooms that the user has joined. */
  'rooms.update-profile': Ask<
    { readonly userId: string; readonly displayname: string | null; readonly avatarUrl: string | null },
    { readonly kind: 'updated'; readonly rooms: number; readonly position: number }
  >;
  /**
   * One room's part of `rooms.update-profile`, which the actor asks of itself so that it happens in that room's turn. Refused with
   * M_FORBIDDEN when the user is not in the room any more.
   */
  'rooms.update-member-profile': Ask<
    {
      readonly roomId: string;
      readonly userId: string;
      readonly displayname: string | null;
      readonly avatarUrl: string | null;
    },
    Sent | Refusal
  >;
  /** Forgets a room that the user has left. Refused with M_UNKNOWN when still in it, M_NOT_FOUND when never in it. */
  'rooms.forget-room': Ask<
    { readonly roomId: string; readonly userId: string },
    { readonly kind: 'forgotten' } | Refusal
  >;
};
