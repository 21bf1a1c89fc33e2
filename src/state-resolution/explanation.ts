import type { JsonObject } from '../kit/json.ts';

// What the inspector says about states, in the words of its answers.

/** The word for a room's current state, in place of an event whose state is meant. */
export const CURRENT = 'current';

/** Changes of one answer about a difference. */
export const DIFFERENCE_LIMIT_MAX = 1_000;

/** Which state of a room is asked for: the one after an event, by its id, or {@link CURRENT}. */
export type StateAt = string;

/** Which entry of which state is asked for. */
export interface StateQuestion {
  readonly roomId: string;
  readonly at: StateAt;
  readonly type: string;
  readonly stateKey: string;
}

/** Which two states are compared. */
export interface DifferenceQuestion {
  readonly roomId: string;
  readonly from: StateAt;
  readonly to: StateAt;
  /** How many changes are left out at the beginning, and how many are given. */
  readonly offset: number;
  readonly limit: number;
}

/** An event, in short. */
export interface EventSummary {
  readonly event_id: string;
  readonly type: string;
  readonly state_key: string | null;
  readonly sender: string;
  readonly origin_server_ts: number;
  /** The server that gave it to us; null: it was made here. */
  readonly received_from: string | null;
}

/** What the authorisation rules say; rule and reason are there where they forbid. */
export interface DecisionSummary {
  readonly allowed: boolean;
  readonly rule: string | null;
  readonly reason: string | null;
}

/** One of the events that stand at a place in some of the states that met. */
export interface Candidate extends EventSummary {
  /** The prev_events, or forward extremities, after which it stands there. */
  readonly stands_after: readonly string[];
  /** The power level that its auth events give to its sender; null: above all levels. */
  readonly sender_level: number | null;
}

/** A place of the state that the states which met do not agree on. */
export interface ConflictedPlace {
  readonly type: string;
  readonly state_key: string;
  readonly candidates: readonly Candidate[];
}

/** Why one event of the resolution stood or fell. */
export interface StepSummary extends EventSummary, DecisionSummary {
  /** Its place in the order of all steps, from 0. */
  readonly order: number;
  readonly pass: 'power' | 'mainline' | 'v1';
}

/** An event that wanted the place and did not come into account, or only for resolutions. */
export interface RefusedCandidate extends EventSummary {
  readonly rejection: string;
}

/** Where states met that do not agree on the place. */
export interface DecisionPoint {
  /** The event that follows them; null: the room's present forward extremities, which nothing follows yet. */
  readonly event_id: string | null;
  readonly prev_events: readonly string[];
  readonly algorithm: 'v1' | 'v2' | 'v2.1';
  readonly room_version: string;
}

/** Why an entry of a state is what it is. */
export interface StateExplanation {
  readonly room_id: string;
  readonly at: StateAt;
  readonly type: string;
  readonly state_key: string;
  readonly winner:
    | (EventSummary & {
        readonly content: JsonObject;
        readonly redacted: boolean;
        /** At the state that its own auth events make. */
        readonly decision: DecisionSummary;
      })
    | null;
  /** Null: no states that differ there have met since the entry was set. */
  readonly decided_at: DecisionPoint | null;
  /**
   * Without a decision point: the event since which the entry stands. `written`: it wrote it; `given`: the state before it came from
   * another server, as with a join; null: there never was such an entry, or the search was cut short.
   */
  readonly set_at: { readonly event_id: string; readonly how: 'written' | 'given' } | null;
  /** The place that was asked for, then others, up to a bound. */
  readonly conflicted: readonly ConflictedPlace[];
  readonly conflicted_places: number;
  /** Events that are in the auth chains of some of the states and not of all. */
  readonly auth_difference: number;
  /** Those of the place, then power events, then others, each in their order, up to a bound. */
  readonly steps: readonly StepSummary[];
  readonly steps_left_out: number;
  /** The same resolution, done again now: what it gives at the place, and whether that is what is stored. Null without one. */
  readonly resolved_again: { readonly event_id: string | null; readonly is_as_stored: boolean } | null;
  /** Events for the place that were rejected or soft-failed, the newest first, up to a bound. */
  readonly refused: readonly RefusedCandidate[];
  readonly search: { readonly events_walked: number; readonly is_truncated: boolean };
}

/** One entry in which two states differ. */
export interface EntryDifference {
  readonly kind: 'added' | 'changed' | 'removed';
  readonly type: string;
  readonly state_key: string;
  readonly before: EventSummary | null;
  readonly after: EventSummary | null;
}

/** How a state became another. */
export interface StateDifference {
  readonly room_id: string;
  readonly from: { readonly at: StateAt; readonly entries: number };
  readonly to: { readonly at: StateAt; readonly entries: number };
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  /** In the order of type and state key. */
  readonly changes: readonly EntryDifference[];
  /** The `offset` of what follows; null: that was all. */
  readonly next_offset: number | null;
}
