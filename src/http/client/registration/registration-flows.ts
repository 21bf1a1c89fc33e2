import type { AuthFlows } from '../../../../actors/accounts/protocol.ts';
import { hasValidRegistrationToken } from '../../../../db/accounts/reader.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { Services } from '../../kit/services.ts';

const ANYBODY: AuthFlows = [['m.login.dummy']];
const WITH_TOKEN: AuthFlows = [['m.login.registration_token']];

/** The terms come first: nobody is to hold a use of a registration token before they have agreed. */
function withTerms(stages: readonly string[]): readonly string[] {
  return ['m.login.terms', ...stages];
}

/**
 * The ways to register now: for anybody where registration is open, with a token while there is a valid one. The token of the first admin
 * is one, so that it works in both cases.
 *
 * @returns a refusal M_FORBIDDEN when there is no way
 */
export async function findRegistrationFlows(
  services: Pick<Services, 'clock' | 'config' | 'db'>,
): Promise<AuthFlows | Refusal> {
  const { clock, config, db } = services;
  const withToken = (await hasValidRegistrationToken(db, clock.now())) ? WITH_TOKEN : [];
  const flows = config.registration.open ? [...ANYBODY, ...withToken] : withToken;
  if (flows.length > 0) return config.registration.terms.url === '' ? flows : flows.map(withTerms);
  return refuse('M_FORBIDDEN', 'Registration is closed on this server.');
}
