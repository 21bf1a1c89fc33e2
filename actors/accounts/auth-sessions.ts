import type { Clock } from '../../src/kit/clock.ts';
import type { Random } from '../../src/kit/random.ts';
import { createExpiringMap } from './expiring-map.ts';
import type { AuthBinding, AuthChallenge, AuthFlows, AuthPassed } from './protocol.ts';
import { makeSecret } from './secrets.ts';

/** How long a session lives after its last step, in milliseconds. */
export const AUTH_SESSION_LIFETIME_MS = 15 * 60_000;
/** How many sessions live at once; the oldest makes room. */
export const AUTH_SESSIONS_MAX = 10_000;

interface Session {
  readonly id: string;
  readonly binding: AuthBinding;
  readonly flows: AuthFlows;
  readonly completed: readonly string[];
  readonly registrationToken: string | null;
}

/** One step: what the client sent, and what was found out about it. */
export interface AuthStep {
  readonly session: string | null;
  readonly binding: AuthBinding;
  readonly flows: AuthFlows;
  /** A stage whose check succeeded. */
  readonly completedStage: string | null;
  /** Its token, when it was `m.login.registration_token`. */
  readonly registrationToken: string | null;
  /** Why a stage that the client tried is not completed. */
  readonly problem: AuthChallenge['problem'];
}

/**
 * Sessions of user-interactive authentication. Each is good for one operation: one endpoint, one user, one set of parameters. It ends
 * when a flow is complete, so that no authentication is worth two operations.
 * Client-Server API v1.19, "User-Interactive Authentication API".
 */
export interface AuthSessions {
  /** Takes a step; opens a session when none is named or the one named is not good for this. Never interrupted. */
  advance(step: AuthStep): AuthPassed | AuthChallenge;
  /** Completes a stage of a session that exists, whoever asks. */
  completeStage(
    session: string,
    stage: string,
    registrationToken: string | null,
  ): 'completed' | 'unknown-session' | 'not-asked-for';
  /** How many sessions hold a use of this registration token; the one named does not count. */
  countPending(registrationToken: string, exceptSession: string | null): number;
}

/** A session that was opened without parameters takes those of the next step: asking for the flows authorises nothing. */
function isGoodFor(session: Session, binding: AuthBinding): boolean {
  const { endpoint, userId, parametersHash } = session.binding;
  const sameParameters = parametersHash === null || parametersHash === binding.parametersHash;
  return endpoint === binding.endpoint && userId === binding.userId && sameParameters;
}

function isComplete(session: Session): boolean {
  return session.flows.some((flow) => flow.every((stage) => session.completed.includes(stage)));
}

function complete(session: Session, step: Pick<AuthStep, 'completedStage' | 'registrationToken'>): Session {
  const { completedStage: stage } = step;
  if (stage === null || !session.flows.some((flow) => flow.includes(stage))) return session;
  return {
    ...session,
    completed: session.completed.includes(stage) ? session.completed : [...session.completed, stage],
    registrationToken: step.registrationToken ?? session.registrationToken,
  };
}

/** Makes an empty set of sessions. */
export function createAuthSessions(clock: Clock, random: Random): AuthSessions {
  const sessions = createExpiringMap<Session>(clock, AUTH_SESSION_LIFETIME_MS, AUTH_SESSIONS_MAX);

  const challenge = (session: Session, problem: AuthChallenge['problem']): AuthChallenge => {
    sessions.set(session.id, session);
    const { id, flows, completed } = session;
    return { kind: 'challenge', session: id, flows, completed, problem };
  };

  return {
    advance(step) {
      const { binding, flows } = step;
      const fresh: Session = {
        id: makeSecret(random),
        binding,
        flows,
        completed: [],
        registrationToken: null,
      };
      const known = step.session === null ? fresh : sessions.find(step.session);
      if (known === undefined || !isGoodFor(known, binding)) return challenge(fresh, 'session');
      const session = complete({ ...known, binding }, step);
      if (!isComplete(session)) return challenge(session, step.problem);
      sessions.take(session.id);
      return { kind: 'passed', registrationToken: session.registrationToken };
    },
    completeStage(id, stage, registrationToken) {
      const known = sessions.find(id);
      if (known === undefined) return 'unknown-session';
      if (!known.flows.some((flow) => flow.includes(stage))) return 'not-asked-for';
      sessions.set(id, complete(known, { completedStage: stage, registrationToken }));
      return 'completed';
    },
    countPending(token, exceptSession) {
      let count = 0;
      for (const session of sessions.values()) {
        if (session.registrationToken === token && session.id !== exceptSession) count += 1;
      }
      return count;
    },
  };
}
