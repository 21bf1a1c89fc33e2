import { databasePath } from '../../db/kit/sqlite.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type {
  DifferenceQuestion,
  StateDifference,
  StateExplanation,
  StateQuestion,
} from '../../src/state-resolution/explanation.ts';
import type { TroupeContext } from '../environment.ts';
import { AskFailed } from '../kit/ref.ts';

/** How long an answer of the pool is waited for: less than whoever asks the inspector waits. */
export const STATE_DEADLINE_MS = 25_000;
/** When to try again after the pool did not answer. */
const RETRY_AFTER_MS = 2_000;

/** What the inspector says about states. The pool reads the database by itself: it needs no other actor. */
export interface StateQuestions {
  explain(question: StateQuestion): Promise<StateExplanation | Refusal>;
  diff(question: DifferenceQuestion): Promise<StateDifference | Refusal>;
}

function refuseUnanswered(error: unknown): Refusal {
  if (!(error instanceof AskFailed)) throw error;
  return refuse('M_UNKNOWN', `the state could not be looked at now: ${error.reason}`, {
    status: 503,
    extra: { retry_after_ms: RETRY_AFTER_MS },
  });
}

/** Hands questions about states to the pool. */
export function createStateQuestions(context: TroupeContext): StateQuestions {
  const withPath = <Question extends object>(question: Question) => ({
    ...question,
    databasePath: databasePath(context.env.config.data.path),
  });
  const options = { deadlineMs: STATE_DEADLINE_MS };
  return {
    explain: (question) =>
      context.ref('pool').ask('pool.explain-state', withPath(question), options).catch(refuseUnanswered),
    diff: (question) =>
      context.ref('pool').ask('pool.diff-states', withPath(question), options).catch(refuseUnanswered),
  };
}
