import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { levelSchema, logLevelSchema } from '../settings-schemas.ts';

/** A week: whoever wants it for longer writes it into the configuration. */
const DURATION_MS_MAX = 604_800_000;

/** Sets which lines are written to the log: of everything, of one thread or of one actor, for good or for some time. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_troupe/inspector/v1/log-level',
  spec: 'Troupe inspector v1: Sets which lines are written to the log: of everything, of one thread or of one actor, for good or for some time.',
  auth: 'admin',
  rateLimit: null,
  body: Type.Object({
    level: Type.Union([levelSchema, Type.Null({ description: 'takes back what was set' })]),
    actor: Type.Optional(Type.String()),
    thread: Type.Optional(Type.String()),
    duration_ms: Type.Optional(
      Type.Integer({ minimum: 1, maximum: DURATION_MS_MAX, description: 'until the next start when absent' }),
    ),
  }),
  reply: logLevelSchema,
  needs: ['inspector'],
  async handle({ body, services }) {
    const { level, actor = null, thread = null, duration_ms: forMs = null } = body;
    const wish = { level, actor, thread, forMs };
    const answer = await services.inspector.ask('inspector.set-log-level', wish);
    return isRefusal(answer) ? answer : reply(200, answer);
  },
});
