/**
 * Something that became true and that a cache may depend on. A stream derives facts from its rows (`invalidates`); caches
 * declare which facts drop which of their keys (`dependsOn`). Facts are idempotent and commutative.
 */
export type Fact =
  /** One entry of a room's current state changed. */
  | { readonly fact: 'room-state'; readonly roomId: string; readonly type: string; readonly stateKey: string }
  /** A user's membership of a room changed (implied by, and sent beside, a `room-state` of an `m.room.member`). */
  | { readonly fact: 'membership'; readonly roomId: string; readonly userId: string }
  /** The coalesced poke of the caches actor: current state of a room changed, and the membership of `members` with it. */
  | { readonly fact: 'room-changed'; readonly roomId: string; readonly members: readonly string[] }
  /** A stored event reads differently now (redacted, purged, un-rejected). */
  | { readonly fact: 'event'; readonly roomId: string; readonly eventId: string }
  /** Something relates to an event that did not, or does not any more. The event itself reads as before. */
  | { readonly fact: 'relations'; readonly roomId: string; readonly eventId: string }
  /** Account data, global (`roomId` null) or of a room; tags included. */
  | {
      readonly fact: 'account-data';
      readonly userId: string;
      readonly roomId: string | null;
      readonly type: string;
    }
  | { readonly fact: 'push-rules'; readonly userId: string }
  /** A user subscribed to a thread, or unsubscribed. The first subscription changes what the user's push rules are. */
  | {
      readonly fact: 'thread-subscription';
      readonly userId: string;
      readonly roomId: string;
      readonly rootId: string;
    }
  | { readonly fact: 'receipt'; readonly roomId: string; readonly userId: string }
  | { readonly fact: 'device-list'; readonly userId: string }
  /** One-time or fallback keys of a device came or were claimed. */
  | { readonly fact: 'one-time-keys'; readonly userId: string; readonly deviceId: string }
  /** An account's own row changed: admin flag, deactivation, password. */
  | { readonly fact: 'account'; readonly userId: string }
  | { readonly fact: 'profile'; readonly userId: string }
  /** An access token was revoked. `tokenHash` is the hex SHA-256 of the token: tokens themselves never travel. */
  | { readonly fact: 'access-token'; readonly tokenHash: string }
  | { readonly fact: 'room-alias'; readonly alias: string }
  /** Another server came out of reach, or is in reach again. */
  | { readonly fact: 'reach'; readonly serverName: string }
  /** A room came into the public directory or was taken out of it. */
  | { readonly fact: 'room-listing'; readonly roomId: string }
  | { readonly fact: 'filter'; readonly userId: string; readonly filterId: string }
  /** So much changed that forgetting everything costs less than naming it: drops every entry of every cache. */
  | { readonly fact: 'everything' };

/** The names of all facts. */
export type FactName = Fact['fact'];

/** The fact called `Name`. */
export type FactOf<Name extends FactName> = Extract<Fact, { readonly fact: Name }>;
