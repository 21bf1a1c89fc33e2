import type { JsonObject } from '../../src/kit/json.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { PolicyServer } from '../../src/matrix/rooms/policy-server.ts';
import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import type { Ask, Tell } from '../kit/protocol.ts';
import type { RoomsForeignProtocol } from './foreign-protocol.ts';

/** An event to be made by us: everything that the sender decides. */
export interface EventProposal {
  readonly type: string;
  /** Absent for message events. */
  readonly stateKey?: string;
  readonly content: JsonObject;
  /** Of a message: for how long it is sticky, in milliseconds, from 0 to an hour; 0 is the same as absent. MSC4354. */
  readonly stickyDurationMs?: number;
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

/**
 * An event of another server. The sender of the message has checked its format, its signatures and its hash; where the hash is wrong,
 * `pdu` is the redacted event. Server-Server API v1.19, "Checks performed on receipt of a PDU", 1 to 3.
 */
export interface ReceivedEvent {
  readonly eventId: string;
  /** The event as it came, JSON. */
  readonly pdu: string;
}

/** What became of an event of another server. */
export type Received =
  /** It is in the timeline. `position` is on the events stream. */
  | { readonly kind: 'accepted'; readonly eventId: string; readonly position: number }
  /** It was here already, accepted or not, and nothing has changed that. */
  | { readonly kind: 'known'; readonly eventId: string }
  /** It is stored and no client sees it; `reason` is for people. */
  | { readonly kind: 'rejected' | 'soft-failed' | 'held'; readonly eventId: string; readonly reason: string }
  /** It is not stored: these are not known here. Send it again when they are, or say that they cannot be had. */
  | {
      readonly kind: 'missing';
      readonly eventId: string;
      readonly prevEvents: readonly string[];
      readonly authEvents: readonly string[];
    };

/** An event of another server that is not stored: it is allowed, and the room's policy server has not signed it. */
export interface Unsigned {
  readonly kind: 'unsigned';
  readonly eventId: string;
  readonly policyServer: PolicyServer;
}

/** What became of an event outside of the timeline. `missing`: auth events are not known; it is stored as rejected until they are. */
export interface OutlierOutcome {
  readonly eventId: string;
  readonly outcome: 'accepted' | 'rejected' | 'missing' | 'known';
}

/** A member event without what its user's server adds: the hash, the signature and, where the room version has one, the id. */
export interface MemberTemplate {
  readonly kind: 'template';
  readonly roomVersion: string;
  readonly event: JsonObject;
}

/** What a purge or a deletion gave back. */
export interface Purged {
  readonly kind: 'purged';
  readonly events: number;
  readonly stateGroups: number;
  /** What the deleted rows took, indices included, about. The file does not shrink: it has that much room for new rows. */
  readonly freedBytes: number;
  /** Pages of the file that became free meanwhile; other writes may have taken some of them already. */
  readonly freedPages: number;
  readonly pageBytes: number;
  /** The size of the file, which only `VACUUM` on a stopped server makes smaller: pages that are free are written again first. */
  readonly fileBytes: number;
  readonly position: number;
}

/** What another owner has deleted of a room in one write. */
export interface Forgotten {
  readonly kind: 'forgotten';
  /** What the rows took, indices included, about. */
  readonly freedBytes: number;
  /** There may be more: ask again. */
  readonly isMore: boolean;
}

/** What is asked of a purge of history. */
export interface PurgeRequest {
  readonly roomId: string;
  readonly beforeEventId: string;
  /** False keeps what local users have sent. */
  readonly deleteLocalEvents: boolean;
}

/** What is asked of the deletion of a room. */
export interface DeletionRequest {
  readonly roomId: string;
  readonly isBlocked: boolean;
  /** Who is said to have blocked it; nobody when absent. */
  readonly requestedBy?: string;
  /** Local users leave, and the room itself stays: not when absent. */
  readonly keepsRoom?: boolean;
  /** The room that was made for those who were in it, and the aliases that point there now: only remembered with the job. */
  readonly notice?: RoomNotice;
}

/** Where the local users of a deleted room find out why. */
export interface RoomNotice {
  readonly roomId: string;
  readonly aliases: readonly string[];
}

/** A purge or a deletion that goes on in the background, as it stands. */
export interface RoomJob {
  readonly id: string;
  readonly kind: 'purge' | 'deletion';
  readonly roomId: string;
  readonly state: 'active' | 'complete' | 'failed';
  /** Why it failed. */
  readonly error: string | null;
  readonly result: Purged | null;
  /** Of a deletion: local users who were in the room, were invited to it or knocked on it, and are not any more. */
  readonly removedUsers: readonly string[];
  readonly notice: RoomNotice | null;
}

export type RoomsProtocol = StreamOwnerProtocol &
  RoomsForeignProtocol & {
    /**
     * Makes a room with all its first events, in one write: all or nothing. The caller has checked the shapes and built the list.
     * Refused with M_UNSUPPORTED_ROOM_VERSION, M_ROOM_IN_USE (alias), M_FORBIDDEN, M_INVITE_BLOCKED, M_INVALID_ROOM_STATE, M_BAD_JSON.
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
        /** For how long the redaction itself is sticky, in milliseconds. MSC4354. */
        readonly stickyDurationMs?: number;
      },
      Sent | Refusal
    >;
    /**
     * Redacts, by and by, what the sender may redact of some events, each as `rooms.redact-event` does. The room is named so that this takes no
     * turn of it: each redaction takes its own. MSC3912, MSC4293.
     */
    'rooms.redact-many': Tell<{
      readonly inRoom: string;
      readonly sender: string;
      /** Of each redaction. */
      readonly content: JsonObject;
      readonly which:
        | {
            readonly kind: 'related';
            readonly parentId: string;
            /** Null: in any way. */
            readonly relTypes: readonly string[] | null;
          }
        /** What the user has sent since the stay before this one, up to a position of the events stream. */
        | { readonly kind: 'sent-by'; readonly userId: string; readonly before: number };
    }>;
    /**
     * Changes a membership. `unban` is a leave that needs the target to be banned. A join of who has joined, with the same content,
     * gives the event that stands. An invite that its user does not want is refused with M_INVITE_BLOCKED, a join or
     * a knock with M_NOT_FOUND when this server is not in the room, a join with M_UNABLE_TO_AUTHORISE_JOIN or M_UNABLE_TO_GRANT_JOIN when another
     * server in the room may let the user in.
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
    /** Of the actor to itself: these events have come, and others that were rejected for want of them are to be looked at again. */
    'rooms.reconsider-events': Tell<{ readonly roomId: string; readonly eventIds: readonly string[] }>;
    /**
     * Of the actor to itself: what decides who may send has changed, and sticky events that were not allowed then are to be looked at again, those
     * of numbers above `after`. MSC4354.
     */
    'rooms.reconsider-sticky': Tell<{ readonly roomId: string; readonly after: number }>;
    /**
     * Replaces a room by a new one of another version: its state is copied, local aliases move, a tombstone says where to go on. All or
     * nothing. The caller has checked the shapes. Refused with M_UNSUPPORTED_ROOM_VERSION, M_FORBIDDEN, M_NOT_FOUND.
     */
    'rooms.upgrade-room': Ask<
      {
        readonly roomId: string;
        readonly sender: string;
        readonly roomVersion: string;
        /** Beside the sender, from room version 12 on. */
        readonly additionalCreators: readonly string[];
      },
      { readonly kind: 'upgraded'; readonly roomId: string; readonly position: number } | Refusal
    >;
    /**
     * Points a new alias of this server at a room that the sender has joined. The caller has checked its grammar. Refused with M_UNKNOWN (409)
     * when there is such an alias, M_FORBIDDEN.
     */
    'rooms.set-alias': Ask<
      { readonly roomId: string; readonly alias: string; readonly sender: string },
      { readonly kind: 'set' } | Refusal
    >;
    /**
     * Takes an alias away, for who made it, who may send `m.room.canonical_alias` in its room, or a server administrator. Where the sender may,
     * the room's canonical alias event does not name it any more. Refused with M_NOT_FOUND when the alias does not point at the room,
     * M_FORBIDDEN.
     */
    'rooms.delete-alias': Ask<
      {
        readonly roomId: string;
        readonly alias: string;
        readonly sender: string;
        readonly isAdmin: boolean;
      },
      /** `position`: of the new canonical alias event; null where there is none. */
      { readonly kind: 'deleted'; readonly position: number | null } | Refusal
    >;
    /**
     * Puts a room into the public directory, or takes it out, for who may send `m.room.canonical_alias` there, or a server administrator.
     * Refused with M_NOT_FOUND, M_FORBIDDEN.
     */
    'rooms.set-visibility': Ask<
      {
        readonly roomId: string;
        readonly sender: string;
        readonly isAdmin: boolean;
        readonly isPublic: boolean;
      },
      /** `position`: on the caches stream; null when that could not be waited for. */
      { readonly kind: 'set'; readonly position: number | null } | Refusal
    >;
    /**
     * Deletes the timeline of a room before an event: those events, and the states that nothing needs any more. What the current state and
     * the auth chains of what stays need is kept. Refused with M_NOT_FOUND, M_BAD_JSON when the event is not in the timeline,
     * M_UNKNOWN (503) while the state of the room is not whole.
     */
    'rooms.purge-history': Ask<PurgeRequest, Purged | Refusal>;
    /**
     * Deletes all of a room. Local users are made to leave first. `isBlocked` keeps everybody from coming back. Refused with M_NOT_FOUND.
     */
    'rooms.delete-room': Ask<DeletionRequest, Purged | Refusal>;
    /** Begins `rooms.purge-history` and does not wait for its end. Refused like it. */
    'rooms.begin-purge': Ask<PurgeRequest, { readonly kind: 'begun'; readonly id: string } | Refusal>;
    /** Begins `rooms.delete-room` and does not wait for its end. Refused like it. */
    'rooms.begin-deletion': Ask<DeletionRequest, { readonly kind: 'begun'; readonly id: string } | Refusal>;
    /** What was begun in the background since the start, the newest last: one job, or those of one room. Old ones are forgotten. */
    'rooms.read-jobs': Ask<{ readonly by: 'id' | 'room'; readonly value: string }, readonly RoomJob[]>;
    /** Blocks a room, known or not, or lets people in again. */
    'rooms.block-room': Ask<
      { readonly roomId: string; readonly isBlocked: boolean; readonly requestedBy: string | null },
      { readonly kind: 'stored' } | Refusal
    >;
    /** Of the actor to itself: one slice of long work, in the room's turn. */
    'rooms.run-room-work': Tell<{ readonly roomId: string; readonly work: number }>;
  };
