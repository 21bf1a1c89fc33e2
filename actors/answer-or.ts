import { type Refusal, refuse } from '../src/matrix/refusal.ts';
import { AskFailed } from './kit/ref.ts';

/** What an ask gives, or a refusal (503) where nobody answered. A defect is thrown on. */
export async function answerOr<T>(ask: Promise<T>): Promise<T | Refusal> {
  try {
    return await ask;
  } catch (error) {
    if (!(error instanceof AskFailed)) throw error;
    return refuse('M_UNKNOWN', 'This server is busy: try again later.', { status: 503 });
  }
}
