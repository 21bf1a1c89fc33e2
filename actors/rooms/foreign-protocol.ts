import type { JsonObject } from '../../src/kit/json.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { PolicyServer } from '../../src/matrix/rooms/policy-server.ts';
import type { Ask } from '../kit/protocol.ts';
import type { MemberTemplate, OutlierOutcome, Received, ReceivedEvent, Sent, Unsigned } from './protocol.ts';

/** What rooms are asked on behalf of other servers, and with what these gave: a part of the protocol. */
export type RoomsForeignProtocol = {
  /**
   * Takes an event of another server into its room: authorised at its auth events, at the state before it and at the current state. In a room
   * that this server is not in, only the end of a local user's invite or knock is taken. Refused with M_NOT_FOUND when this server is not in the room, M_BAD_JSON when the event is not of the room.
   */
  'rooms.receive-event': Ask<
    {
      readonly roomId: string;
      readonly event: ReceivedEvent;
      /** The server that gave it to us; null: it was made here, and another server has signed it since. */
      readonly receivedFrom: string | null;
      /** True: it came through us, and once it is accepted it goes to the other servers of the room. */
      readonly isRelayed?: boolean;
      /**
       * The ids of the state before it, all of them stored, for an event whose prev_events cannot be had; null: it follows from
       * prev_events.
       */
      readonly stateBefore: readonly string[] | null;
      /** True: auth events that are not known cannot be had. It is stored as rejected, and looked at again should they come. */
      readonly isFinal: boolean;
      /**
       * Not absent: without the signature of the room's policy server, where it has one, it is soft-failed, and this is why. Absent: that signature
       * is not looked at.
       */
      readonly unsignedReason?: string;
    },
    Received | Refusal
  >;
  /**
   * As `rooms.receive-event`; but what is allowed and lacks the signature of the room's policy server is not stored, so that it can be asked for:
   * then it is given again, with that signature, or with why there is none. Server-Server API v1.19, "Validating Policy Server signatures".
   */
  'rooms.receive-unless-unsigned': Ask<
    {
      readonly roomId: string;
      readonly event: ReceivedEvent;
      readonly receivedFrom: string;
      readonly isRelayed?: boolean;
      readonly stateBefore: readonly string[] | null;
      readonly isFinal: boolean;
    },
    Received | Unsigned | Refusal
  >;
  /**
   * Stores events outside of the timeline: auth chains and states that other servers gave us. Each is authorised at its auth events. In
   * any order. Refused with M_NOT_FOUND for a room that is not known.
   */
  'rooms.receive-outliers': Ask<
    { readonly roomId: string; readonly events: readonly ReceivedEvent[]; readonly receivedFrom: string },
    { readonly kind: 'stored'; readonly outcomes: readonly OutlierOutcome[] } | Refusal
  >;
  /**
   * Takes events into the past of a room's timeline: nobody is told of them, and neither the current state nor what the next event follows
   * changes. The oldest first, each with the ids of the state before it, all of them stored, where that does not follow from events that
   * are known or before it in the list: otherwise it is left out. Each is authorised at its auth events and at the state before it.
   * Answered with how many entered the timeline. Refused with M_NOT_FOUND when this server is not in the room, M_UNKNOWN (503) while its state is
   * not whole.
   */
  'rooms.receive-history': Ask<
    {
      readonly roomId: string;
      readonly events: readonly {
        readonly event: ReceivedEvent;
        readonly stateBefore: readonly string[] | null;
      }[];
      readonly receivedFrom: string;
    },
    { readonly kind: 'stored'; readonly events: number } | Refusal
  >;
  /**
   * A local user was invited to a room that this server may not be in. Refused with M_UNSUPPORTED_ROOM_VERSION, M_FORBIDDEN when the user is
   * in the room or was banned from it, M_BAD_JSON (also for a version that is not the known one of the room), M_MISSING_PARAM when a room id
   * that its create event makes comes without that event, M_INVALID_PARAM when the create event is of another room or version,
   * M_INVITE_BLOCKED when the user does not want it.
   */
  'rooms.receive-invite': Ask<
    {
      readonly roomId: string;
      readonly roomVersion: string;
      readonly event: ReceivedEvent;
      /** Events of the room's state, as the inviting server gave them, whole or stripped; their signatures were checked where there are any. */
      readonly strippedState: readonly JsonObject[];
      readonly receivedFrom: string;
    },
    Sent | Refusal
  >;
  /**
   * A local user has joined through another server: makes the room's state here that state, with the join after it. In a room that this
   * server is in already the join is received as any other event. Refused with M_UNSUPPORTED_ROOM_VERSION, M_FORBIDDEN when the events do not
   * allow the join, M_BAD_JSON.
   */
  'rooms.accept-join': Ask<
    {
      readonly roomId: string;
      readonly roomVersion: string;
      readonly event: ReceivedEvent;
      /** The state before the join. */
      readonly state: readonly ReceivedEvent[];
      readonly authChain: readonly ReceivedEvent[];
      readonly receivedFrom: string;
      /**
       * Not null: `state` lacks member events, and `servers` are in the room. The room is usable, and `rooms.complete-state` makes it whole.
       * Only for a room that this server is not in; MSC3706, MSC3902.
       */
      readonly partial: { readonly servers: readonly string[] } | null;
    },
    Sent | Refusal
  >;
  /**
   * The whole state before the join of a room that was joined without its members: every state since then, what was decided with them, and the
   * current state become what they are with it. All in the room's turns; at the end, in one write set, the room is whole. Asked again after a
   * crash it goes on or begins anew. Refused with M_NOT_FOUND when the room is not partial, M_BAD_JSON when `state` is none.
   */
  'rooms.complete-state': Ask<
    {
      readonly roomId: string;
      /** The state before the join, whole; the sender has checked each event. */
      readonly state: readonly ReceivedEvent[];
      readonly authChain: readonly ReceivedEvent[];
      readonly receivedFrom: string;
    },
    { readonly kind: 'completed'; readonly position: number } | Refusal
  >;
  /**
   * The template of a join of another server's user, for its server to sign. Server-Server API v1.19, `GET /make_join`. Refused with
   * M_NOT_FOUND, M_INCOMPATIBLE_ROOM_VERSION (with `room_version`), M_FORBIDDEN, M_UNABLE_TO_AUTHORISE_JOIN, M_UNABLE_TO_GRANT_JOIN.
   */
  'rooms.make-join': Ask<
    { readonly roomId: string; readonly userId: string; readonly versions: readonly string[] },
    MemberTemplate | Refusal
  >;
  /** The same for a knock. Server-Server API v1.19, `GET /make_knock`. Refused with M_NOT_FOUND, M_INCOMPATIBLE_ROOM_VERSION, M_FORBIDDEN. */
  'rooms.make-knock': Ask<
    { readonly roomId: string; readonly userId: string; readonly versions: readonly string[] },
    MemberTemplate | Refusal
  >;
  /**
   * The same for a leave: out of the room, of an invite or of a knock. Server-Server API v1.19, `GET /make_leave`. Refused with M_NOT_FOUND,
   * M_FORBIDDEN.
   */
  'rooms.make-leave': Ask<{ readonly roomId: string; readonly userId: string }, MemberTemplate | Refusal>;
  /**
   * An invite of another server's user, signed by us and authorised at the current state, for that server to sign: it is stored nowhere
   * before. `roomState` is what tells the user what the room is, whole events. Server-Server API v1.19, "Inviting to a room". Refused with
   * M_FORBIDDEN, M_BAD_JSON, M_TOO_LARGE.
   */
  'rooms.make-invite': Ask<
    {
      readonly roomId: string;
      readonly sender: string;
      readonly target: string;
      readonly content: JsonObject;
    },
    | {
        readonly kind: 'invite';
        readonly roomVersion: string;
        readonly eventId: string;
        readonly event: JsonObject;
        readonly roomState: readonly JsonObject[];
        /** Who is to sign it first; null: nobody. */
        readonly policyServer: PolicyServer | null;
      }
    | Refusal
  >;
  /**
   * Adds our signature to another server's join into a restricted room that names a user of ours as who lets the joining user in, where that
   * is so. Room version 8, "Restricted rooms". Refused with M_NOT_FOUND, M_BAD_JSON, M_FORBIDDEN, M_UNABLE_TO_AUTHORISE_JOIN,
   * M_UNABLE_TO_GRANT_JOIN.
   */
  'rooms.vouch-for-join': Ask<
    { readonly roomId: string; readonly pdu: JsonObject },
    { readonly kind: 'vouched'; readonly pdu: JsonObject } | Refusal
  >;
  /**
   * A local user has knocked through another server. Refused with M_UNSUPPORTED_ROOM_VERSION, M_BAD_JSON, M_MISSING_PARAM or M_INVALID_PARAM as
   * `rooms.receive-invite`.
   */
  'rooms.accept-knock': Ask<
    {
      readonly roomId: string;
      readonly roomVersion: string;
      readonly event: ReceivedEvent;
      /** Events of the room's state, as the other server gave them, whole or stripped. */
      readonly strippedState: readonly JsonObject[];
      readonly receivedFrom: string;
    },
    Sent | Refusal
  >;
  /**
   * A local user has rejected an invite, or taken back a knock, through another server, in a room that this server is not in. Refused with
   * M_FORBIDDEN when there is nothing to leave, M_BAD_JSON.
   */
  'rooms.accept-leave': Ask<{ readonly roomId: string; readonly event: ReceivedEvent }, Sent | Refusal>;
};
