import { Type } from 'typebox';

const count = Type.Integer({ minimum: 0 });
const text = Type.String();
const orNull = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema) =>
  Type.Union([schema, Type.Null()]);

const eventFields = {
  event_id: text,
  type: text,
  state_key: orNull(text),
  sender: text,
  origin_server_ts: Type.Number({ description: 'milliseconds since the Unix epoch, as its server says' }),
  received_from: Type.Union([text, Type.Null()], {
    description: 'the server that gave it to us; null: it was made here',
  }),
};
const decisionFields = {
  allowed: Type.Boolean(),
  rule: Type.Union([text, Type.Null()], {
    description: "its number in the room version's authorization rules; null when they allow it",
  }),
  reason: orNull(text),
};

const event = Type.Object(eventFields);

const winner = Type.Object({
  ...eventFields,
  content: Type.Record(text, Type.Unknown()),
  redacted: Type.Boolean({ description: 'a redaction was applied: the content is what it left' }),
  decision: Type.Object(decisionFields, { description: 'at the state that its own auth events make' }),
});

const decisionPoint = Type.Object({
  event_id: Type.Union([text, Type.Null()], {
    description: "null: the room's forward extremities, which nothing follows yet",
  }),
  prev_events: Type.Array(text),
  algorithm: Type.String({ description: 'v1, v2 or v2.1' }),
  room_version: text,
});

const conflictedPlace = Type.Object({
  type: text,
  state_key: text,
  candidates: Type.Array(
    Type.Object({
      ...eventFields,
      stands_after: Type.Array(text, { description: 'the prev_events after which it stands there' }),
      sender_level: Type.Union([Type.Number(), Type.Null()], {
        description: 'the power level of its sender by its own auth events; null: above all levels',
      }),
    }),
  ),
});

const step = Type.Object({
  ...eventFields,
  ...decisionFields,
  order: count,
  pass: Type.String({ description: 'power: sorted by power and checked first; mainline: the others; v1' }),
});

/** `StateExplanation`. */
export const stateExplanationSchema = Type.Object({
  room_id: text,
  at: text,
  type: text,
  state_key: text,
  winner: orNull(winner),
  decided_at: Type.Union([decisionPoint, Type.Null()], {
    description: 'where states that disagree there last met; null: nowhere since the entry was set',
  }),
  set_at: Type.Union([Type.Object({ event_id: text, how: text }), Type.Null()], {
    description: 'how: written by the event, or given with the state before it by another server',
  }),
  conflicted: Type.Array(conflictedPlace),
  conflicted_places: count,
  auth_difference: count,
  steps: Type.Array(step),
  steps_left_out: count,
  resolved_again: Type.Union(
    [Type.Object({ event_id: orNull(text), is_as_stored: Type.Boolean() }), Type.Null()],
    { description: 'the same resolution, done again now' },
  ),
  refused: Type.Array(Type.Object({ ...eventFields, rejection: text }), {
    description: 'events for the place that were rejected or soft-failed, the newest first',
  }),
  search: Type.Object({ events_walked: count, is_truncated: Type.Boolean() }),
});

const side = Type.Object({ at: text, entries: count });

/** `StateDifference`. */
export const stateDifferenceSchema = Type.Object({
  room_id: text,
  from: side,
  to: side,
  added: count,
  changed: count,
  removed: count,
  changes: Type.Array(
    Type.Object({
      kind: Type.String({ description: 'added, changed or removed' }),
      type: text,
      state_key: text,
      before: orNull(event),
      after: orNull(event),
    }),
  ),
  next_offset: Type.Union([count, Type.Null()], { description: 'null: that was all' }),
});
