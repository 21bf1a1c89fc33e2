import { Type } from 'typebox';

const names = Type.Array(Type.String());

/** A level of the log. */
export const levelSchema = Type.Enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']);

/** `ReloadReport`. */
export const reloadSchema = Type.Object({
  ts: Type.Number({ description: 'milliseconds since the Unix epoch' }),
  outcome: Type.Enum(['applied', 'unchanged', 'wrong']),
  tookEffect: names,
  needRestart: names,
  problems: Type.Array(Type.Object({ where: Type.String(), what: Type.String() })),
});

/** `ConfigReport`. */
export const configSchema = Type.Object({
  options: Type.Array(
    Type.Object({
      name: Type.String(),
      changes: Type.Enum(['live', 'restart']),
      value: Type.Unknown({ description: 'what holds; secrets are not shown' }),
      needsRestart: Type.Boolean({ description: 'the file says something else' }),
    }),
  ),
  lastReload: Type.Union([reloadSchema, Type.Null()]),
});

/** `LogLevelReport`. */
export const logLevelSchema = Type.Object({
  configured: levelSchema,
  overrides: Type.Array(
    Type.Object({
      thread: Type.Union([Type.String(), Type.Null()]),
      actor: Type.Union([Type.String(), Type.Null()]),
      level: levelSchema,
      untilTs: Type.Union([Type.Number({ description: 'milliseconds since the Unix epoch' }), Type.Null()]),
    }),
  ),
});

/** `ReadinessReport`. */
export const readinessSchema = Type.Object({
  isReady: Type.Boolean(),
  parts: Type.Array(Type.Object({ name: Type.String(), fault: Type.Union([Type.String(), Type.Null()]) })),
});
