import { Type } from 'typebox';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Makes a registration token for ordinary users. Null: as many uses as wanted; never ends. Refused with M_INVALID_PARAM (an end that has passed). */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_troupe/control/v1/registration-tokens',
  spec: 'Troupe control v1: makes a registration token',
  auth: 'admin',
  rateLimit: null,
  body: Type.Object({
    uses_allowed: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()]),
    /** Milliseconds since the Unix epoch. */
    expires_ts: Type.Union([Type.Integer(), Type.Null()]),
  }),
  reply: Type.Object({ token: Type.String() }),
  needs: ['accounts', 'clock'],
  async handle({ body, services }) {
    const { uses_allowed: usesAllowed, expires_ts: expiresTs } = body;
    if (expiresTs !== null && expiresTs <= services.clock.now())
      return refuse('M_INVALID_PARAM', 'the token would have ended already');
    const made = await services.accounts.ask('accounts.create-registration-token', {
      usesAllowed,
      expiresTs,
    });
    return isRefusal(made) ? made : { token: made.token };
  },
});
