import { defineCache } from '../../streams/cache.ts';

/** Devices whose memory is kept on one thread. */
const SENT_MEMBERS_DEVICES_MAX = 1_000;

/** Members that are remembered for one device; the oldest are forgotten first, and sent again when they are needed. */
const SENT_MEMBERS_PER_DEVICE_MAX = 1_000;

/**
 * Which member events a device was given with lazy loading, so that they are not sent again. It is a memory, not a copy of the
 * database: what it forgets is only sent once more.
 */
export interface SentMembers {
  /**
   * True when the device has the event for certain: it was in an answer that the device's `since` comes after.
   *
   * @param since the device's position on the events stream
   */
  has(roomId: string, userId: string, eventId: string, since: number): boolean;
  /** True when the device was given some event of the member. */
  knows(roomId: string, userId: string): boolean;
  /** @param at the position of the answer on the events stream */
  add(roomId: string, userId: string, eventId: string, at: number): void;
}

interface Sent {
  readonly eventId: string;
  readonly at: number;
}

/** Makes an empty memory. */
export function makeSentMembers(): SentMembers {
  const sent = new Map<string, Sent>();
  const keyOf = (roomId: string, userId: string): string => `${roomId} ${userId}`;
  return {
    has(roomId, userId, eventId, since) {
      const entry = sent.get(keyOf(roomId, userId));
      return entry?.eventId === eventId && entry.at <= since;
    },
    knows: (roomId, userId) => sent.has(keyOf(roomId, userId)),
    add(roomId, userId, eventId, at) {
      const key = keyOf(roomId, userId);
      if (sent.get(key)?.eventId === eventId) return;
      sent.delete(key);
      sent.set(key, { eventId, at });
      const [oldest] = sent.keys();
      if (sent.size > SENT_MEMBERS_PER_DEVICE_MAX && oldest !== undefined) sent.delete(oldest);
    },
  };
}

/** What each device was given, by {@link sentMembersKey}. */
export const sentMembersCache = defineCache<string, SentMembers>({
  name: 'sent-members',
  sizeMax: SENT_MEMBERS_DEVICES_MAX,
  load: () => Promise.resolve(makeSentMembers()),
  reads: [],
  dependsOn: {},
});

/** The key of a device in {@link sentMembersCache}. */
export function sentMembersKey(userId: string, deviceId: string): string {
  return `${userId} ${deviceId}`;
}
