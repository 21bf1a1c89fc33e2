import { Type } from 'typebox';

const count = Type.Integer({ minimum: 0 });
const counts = Type.Record(Type.String(), count);
const ms = Type.Number({ description: 'milliseconds' });
const position = Type.Integer();

/** `ActorStatus`. */
export const actorSchema = Type.Object({
  name: Type.String(),
  thread: Type.String(),
  state: Type.String({ description: 'waiting, starting, running, crashed, stopping or stopped' }),
  incarnation: Type.Integer({ description: 'counts its starts' }),
  depth: Type.Integer({ description: 'messages that wait, those on their way included' }),
  open: Type.Integer({ description: 'messages begun and not answered' }),
  oldestAgeMs: ms,
  handled: count,
  failed: count,
  refused: Type.Integer({ minimum: 0, description: 'messages that found the mailbox full' }),
  dropped: count,
  restarts: count,
  messages: Type.Array(Type.Object({ name: Type.String(), count, p50Ms: ms, p99Ms: ms })),
  lastError: Type.String(),
});

/** `StreamReport`. */
export const streamSchema = Type.Object({
  name: Type.String(),
  kind: Type.Enum(['durable', 'memory']),
  owner: Type.String(),
  epoch: Type.Integer({ description: '0 for durable streams' }),
  committed: position,
  published: position,
  rowsPublished: count,
  messagesSent: count,
  rowsHeld: count,
  pokesIn: Type.Integer({ description: 'invalidations that came in' }),
  pokesOut: Type.Integer({ description: 'invalidation messages that went out' }),
  drops: counts,
  subscribers: Type.Array(
    Type.Object({
      name: Type.String(),
      thread: Type.String(),
      state: Type.String({ description: 'live, catching-up, unconnected or stalled' }),
      epoch: Type.Integer(),
      position,
      lag: Type.Integer({ description: 'positions behind what is published' }),
      rowsApplied: count,
      catchUps: Type.Object({ count, rows: count, p50Ms: ms, p99Ms: ms }),
      resets: count,
      waiters: count,
      waitersTimedOut: count,
      drops: counts,
      lastError: Type.String(),
    }),
  ),
});

/** `CacheReport`. */
export const cacheSchema = Type.Object({
  name: Type.String(),
  thread: Type.String(),
  hits: count,
  misses: count,
  hitRatio: Type.Number({ minimum: 0, maximum: 1 }),
  size: Type.Number({ description: "in the cache's own unit" }),
  invalidations: count,
  notStored: Type.Integer({ description: 'fills that lost a race with an invalidation' }),
});

/** `ThreadStatus`. */
export const threadSchema = Type.Object({
  name: Type.String(),
  state: Type.String({ description: 'down, booting, starting, running, blocked or ended' }),
  restarts: count,
  lagP50Ms: ms,
  lagMaxMs: ms,
  heapUsedBytes: Type.Number(),
  cpuShare: Type.Number({ description: 'of one core, in the last second' }),
  heartbeatAgeMs: ms,
  lastError: Type.String(),
});

/** `LimitReport`. */
export const limitSchema = Type.Object({
  class: Type.String(),
  kind: Type.String({ description: 'whose bucket: user or address' }),
  thread: Type.String(),
  refused: count,
});

/** `Report`: what a user has told the administrators. */
export const reportSchema = Type.Object({
  reportId: count,
  reporter: Type.String(),
  kind: Type.Enum(['room', 'event', 'user']),
  userId: Type.Union([Type.String(), Type.Null()]),
  roomId: Type.Union([Type.String(), Type.Null()]),
  eventId: Type.Union([Type.String(), Type.Null()]),
  reason: Type.String(),
  score: Type.Union([Type.Integer(), Type.Null()], { description: 'from -100 (worst) to 0' }),
  createdTs: ms,
});

/** `DelayedEventsReport`. */
export const delayedEventsSchema = Type.Object({
  scheduled: count,
  nextDueTs: Type.Union([ms, Type.Null()], { description: 'null when none waits' }),
  sent: count,
  cancelled: count,
  restarted: count,
  failed: Type.Integer({ minimum: 0, description: 'refused when their time had come' }),
  lastLateMs: Type.Number({ minimum: 0, description: 'by how much the latest was sent after its time' }),
});

/** `RoomFigures`. */
export const roomSchema = Type.Object({
  roomId: Type.String(),
  roomVersion: Type.String(),
  creator: Type.String(),
  isPublic: Type.Boolean(),
  events: count,
  eventBytes: count,
  stateEntries: count,
  forwardExtremities: count,
  depth: count,
  position,
  members: counts,
  localMembers: counts,
  membershipsConsistent: Type.Boolean({
    description: 'the memberships of local users are those of the current state',
  }),
  inconsistentMemberships: count,
});

/** `Purged`, without what says that it is one. */
export const purgedSchema = Type.Object({
  events: count,
  stateGroups: count,
  freedBytes: Type.Integer({
    minimum: 0,
    description: 'what the deleted rows took, indices included, about',
  }),
  freedPages: Type.Integer({ minimum: 0, description: 'pages of the file that became free meanwhile' }),
  pageBytes: count,
  fileBytes: Type.Integer({
    minimum: 0,
    description: 'the file keeps its size: free pages are written again first',
  }),
  position,
});
