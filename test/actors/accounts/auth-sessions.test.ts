import { expect } from 'chai';
import {
  AUTH_SESSION_LIFETIME_MS,
  AUTH_SESSIONS_MAX,
  type AuthSessions,
  type AuthStep,
  createAuthSessions,
} from '../../../actors/accounts/auth-sessions.ts';
import type { AuthChallenge } from '../../../actors/accounts/protocol.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const BINDING = { endpoint: 'POST /password', userId: '@a:x', parametersHash: 'one' };
const FIRST: AuthStep = {
  session: null,
  binding: BINDING,
  flows: [['m.login.dummy', 'm.login.password'], ['m.login.registration_token']],
  completedStage: null,
  registrationToken: null,
  problem: null,
};

describe('sessions of user-interactive authentication', () => {
  const clock = createFakeClock();
  let sessions: AuthSessions;

  beforeEach(() => {
    sessions = createAuthSessions(clock, seededRandom(1));
  });

  function challenge(step: Partial<AuthStep>): AuthChallenge {
    const answer = sessions.advance({ ...FIRST, ...step });
    if (answer.kind !== 'challenge') throw new Error('passed');
    return answer;
  }

  it('keeps completed stages and passes when a flow is complete', () => {
    const { session, completed, flows, problem } = challenge({});
    expect([completed, flows, problem]).to.deep.equal([[], FIRST.flows, null]);
    const second = challenge({ session, completedStage: 'm.login.dummy' });
    expect(second).to.deep.include({ session, completed: ['m.login.dummy'], problem: null });
    expect(challenge({ session, completedStage: 'm.login.dummy' }).completed).to.deep.equal([
      'm.login.dummy',
    ]);
    const last = sessions.advance({ ...FIRST, session, completedStage: 'm.login.password' });
    expect(last).to.deep.equal({ kind: 'passed', registrationToken: null });
  });

  it('is worth one operation: a session that has passed is unknown', () => {
    const { session } = challenge({});
    const step = { ...FIRST, session, completedStage: 'm.login.registration_token', registrationToken: 't' };
    expect(sessions.advance(step)).to.deep.equal({ kind: 'passed', registrationToken: 't' });
    const again = challenge({ ...step });
    expect(again).to.deep.include({ problem: 'session', completed: [] });
    expect(again.session).to.not.equal(session);
  });

  it('completes nothing in a session that is unknown', () => {
    const step = { session: 'made-up', completedStage: 'm.login.registration_token' };
    expect(challenge(step)).to.deep.include({ problem: 'session', completed: [] });
  });

  for (const [what, binding] of Object.entries({
    endpoint: { ...BINDING, endpoint: 'POST /deactivate' },
    user: { ...BINDING, userId: '@b:x' },
    parameters: { ...BINDING, parametersHash: 'two' },
    'lack of parameters': { ...BINDING, parametersHash: null },
  })) {
    it(`is not good for another ${what}`, () => {
      const { session } = challenge({ completedStage: 'm.login.dummy' });
      const other = challenge({ session, binding, completedStage: 'm.login.password' });
      expect(other).to.deep.include({ problem: 'session', completed: [] });
      expect(challenge({ session }).session, 'the old one stands').to.equal(session);
    });
  }

  it('takes the parameters of the second request when the first had none', () => {
    const { session } = challenge({ binding: { ...BINDING, parametersHash: null } });
    expect(challenge({ session, completedStage: 'm.login.dummy' }).session).to.equal(session);
    const other = { ...BINDING, parametersHash: 'two' };
    expect(challenge({ session, binding: other }).problem).to.equal('session');
  });

  it('keeps the flows that it was opened with', () => {
    const { session } = challenge({});
    const step = { ...FIRST, session, flows: [['m.login.dummy']], completedStage: 'm.login.dummy' };
    expect(sessions.advance(step)).to.deep.include({ kind: 'challenge', flows: FIRST.flows });
  });

  it('expires after its last step', async () => {
    const { session } = challenge({});
    await clock.advance(AUTH_SESSION_LIFETIME_MS - 1);
    expect(challenge({ session, completedStage: 'm.login.dummy' }).session).to.equal(session);
    await clock.advance(AUTH_SESSION_LIFETIME_MS - 1);
    expect(challenge({ session }).completed).to.deep.equal(['m.login.dummy']);
    await clock.advance(AUTH_SESSION_LIFETIME_MS);
    expect(challenge({ session })).to.deep.include({ problem: 'session', completed: [] });
  });

  it('is bounded: the oldest makes room', () => {
    const oldest = challenge({}).session;
    const next = challenge({}).session;
    for (let count = 2; count < AUTH_SESSIONS_MAX; count += 1) challenge({});
    expect(challenge({ session: oldest }).session, 'still there, and younger now').to.equal(oldest);
    challenge({});
    expect(challenge({ session: next }).problem).to.equal('session');
    expect(challenge({ session: oldest }).problem).to.equal(null);
  });

  it('counts the uses of a registration token that are pending', async () => {
    const flows = [['m.login.registration_token', 'm.login.dummy']];
    const step = { flows, completedStage: 'm.login.registration_token', registrationToken: 't' };
    const { session } = challenge(step);
    expect(sessions.countPending('t', null)).to.equal(1);
    expect(sessions.countPending('t', session)).to.equal(0);
    expect(sessions.countPending('u', null)).to.equal(0);
    await clock.advance(AUTH_SESSION_LIFETIME_MS);
    expect(sessions.countPending('t', null)).to.equal(0);
  });
});
