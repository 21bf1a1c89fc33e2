import type { Report } from '../../db/reports/reader.ts';
import type { ListenAddress } from '../../src/config/config.ts';
import type { DelayedEventsReport } from '../../src/inspector/delayed-events-report.ts';
import type { ExpositionFormat } from '../../src/inspector/exposition/metric-family.ts';
import type { ReadinessReport } from '../../src/inspector/readiness-report.ts';
import type {
  ConfigReport,
  LogLevelReport,
  LogLevelWish,
  ReloadReport,
} from '../../src/inspector/settings-report.ts';
import type { Json, JsonObject } from '../../src/kit/json.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type {
  DifferenceQuestion,
  StateDifference,
  StateExplanation,
  StateQuestion,
} from '../../src/state-resolution/explanation.ts';
import type { DestinationState } from '../federation-sender/protocol.ts';
import type { Ask } from '../kit/protocol.ts';
import type { PartialRoomState } from '../remote-rooms/protocol.ts';

/** A list that the inspector can give of everything that runs. */
export type InspectorSubject = 'actors' | 'streams' | 'caches' | 'threads' | 'limits';

export type InspectorProtocol = {
  /** One list: read from shared memory, so that it is there whatever the other threads do. */
  'inspector.read-list': Ask<{ readonly subject: InspectorSubject }, readonly Json[]>;
  /** What users have reported, the newest first: at most `limit`, with ids below `before`. */
  'inspector.read-reports': Ask<
    { readonly before: number | null; readonly limit: number },
    readonly Report[]
  >;
  /** Events that users have sent later: what waits, and how it went. */
  'inspector.read-delayed-events': Ask<null, DelayedEventsReport>;
  /** What is known of one room. Refused with M_NOT_FOUND. */
  'inspector.read-room': Ask<{ readonly roomId: string }, JsonObject | Refusal>;
  /** Why an entry of a room's state is what it is. Refused with M_NOT_FOUND; 503 when the pool has too much to do. */
  'inspector.explain-state': Ask<StateQuestion, StateExplanation | Refusal>;
  /** In what two states of a room differ. Refused with M_NOT_FOUND; 503 when the pool has too much to do. */
  'inspector.diff-states': Ask<DifferenceQuestion, StateDifference | Refusal>;
  /**
   * Deletes the history of a room before an event, or before the first event that is not older than `beforeTs` (milliseconds since the Unix
   * epoch). Answers when it is done. Refused with M_NOT_FOUND, M_BAD_JSON.
   */
  'inspector.purge-room': Ask<
    {
      readonly roomId: string;
      readonly beforeEventId: string | null;
      readonly beforeTs: number | null;
      readonly deleteLocalEvents: boolean;
    },
    JsonObject | Refusal
  >;
  /** Deletes a room. Answers when it is done. Refused with M_NOT_FOUND. */
  'inspector.delete-room': Ask<
    { readonly roomId: string; readonly isBlocked: boolean },
    JsonObject | Refusal
  >;
  /** Ends the present life of an actor and starts the next. Refused with M_NOT_FOUND. Answers when the next has started. */
  'inspector.restart-actor': Ask<{ readonly name: string }, { readonly restarted: string } | Refusal>;
  /** Other servers by name, after `after`: what waits for them, and whether they answer. 503 when the sender does not answer. */
  'inspector.read-destinations': Ask<
    { readonly after: string | null; readonly limit: number },
    { readonly kind: 'destinations'; readonly destinations: readonly DestinationState[] } | Refusal
  >;
  /** Tries another server at once, whatever its back-off. Refused with M_NOT_FOUND; 503 when the sender does not answer. */
  'inspector.retry-destination': Ask<
    { readonly destination: string },
    { readonly retried: string } | Refusal
  >;
  /** Rooms that were joined without their members, which are being fetched. 503 when who fetches them does not answer. */
  'inspector.read-partial-rooms': Ask<
    null,
    { readonly kind: 'rooms'; readonly rooms: readonly PartialRoomState[] } | Refusal
  >;
  /** Fetches the members of one of them at once. Refused with M_NOT_FOUND; 503 when who fetches them does not answer. */
  'inspector.retry-partial-room': Ask<{ readonly roomId: string }, { readonly retried: string } | Refusal>;
  /** Makes a signing key of this server: published at once, used from the next start on. Refused when the store takes no writes (503). */
  'inspector.add-signing-key': Ask<null, { readonly kind: 'added'; readonly keyId: string } | Refusal>;
  /** Whether requests should be sent here, and if not, why. */
  'inspector.read-readiness': Ask<null, ReadinessReport>;
  /** Everything that can be measured, as Prometheus reads it. */
  'inspector.read-metrics': Ask<{ readonly format: ExpositionFormat }, string>;
  /** Every option, what it is, and what came of reading them again. Refused with M_NOT_FOUND when there is no configuration to read. */
  'inspector.read-config': Ask<null, ConfigReport | Refusal>;
  /** Reads the configuration again. Refused with M_NOT_FOUND when there is none to read. */
  'inspector.reload-config': Ask<null, ReloadReport | Refusal>;
  'inspector.read-log-levels': Ask<null, LogLevelReport>;
  /** Sets the level of everything, of a thread or of an actor. Refused with M_NOT_FOUND for one that there is not. */
  'inspector.set-log-level': Ask<LogLevelWish, LogLevelReport | Refusal>;
  /** Where its own listener listens; the port is never 0. */
  'inspector.read-address': Ask<null, ListenAddress>;
};
