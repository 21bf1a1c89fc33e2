import { LRUCache } from 'lru-cache';
import type { Clock } from '../../kit/clock.ts';
import { isRefusal, type Refusal, refuse } from '../../matrix/refusal.ts';

/** Answers about states that are made for one server at the same time. */
export const ANSWERS_AT_ONCE_MAX = 3;
/** How long a thread may work on such answers for one server, in milliseconds, before that server has to wait; and in what time it gets that back. */
export const WORK_MS_MAX = 10_000;
export const WORK_WINDOW_MS = 60_000;
/** Answers in memory, in characters in all: of the state of a large room there are megabytes. */
const REMEMBERED_CHARACTERS_MAX = 32 * 1_024 * 1_024;
/** How long an answer is given again, in milliseconds. A state stays what it is; what was redacted in it meanwhile is given as it was. */
export const REMEMBERED_MS = 10_000;
/** When a server may try again whose other questions are being answered, in milliseconds. */
const RETRY_AFTER_MS = 2_000;
/** Servers whose work is remembered. */
const SERVERS_MAX = 10_000;

/** What this thread does for other servers that ask for states: they are large, and anybody in a room may ask for any of them. */
export interface StateAnswers {
  /**
   * The answer to a question, made once for all who ask it at about the same time.
   *
   * @param question what makes it the same question, whoever asks: that the server may ask was found out before
   * @param make gives the text of the answer
   * @returns refused as `make` refuses, and with M_LIMIT_EXCEEDED when the server has had too much
   */
  answer(
    serverName: string,
    question: string,
    make: () => Promise<string | Refusal>,
  ): Promise<string | Refusal>;
  /** Whether a server would be refused now: asked before what cannot be taken back. */
  refuseNow(serverName: string): Refusal | undefined;
  /** The same for what is done for one server alone. */
  work<T>(serverName: string, make: () => Promise<T>): Promise<T | Refusal>;
}

interface Account {
  open: number;
  /** The work done for it, at `at`: it is forgotten as time passes. */
  workMs: number;
  at: number;
}

function tooMuch(serverName: string, waitMs: number): Refusal {
  return refuse('M_LIMIT_EXCEEDED', `${serverName} asks for too many states of rooms: try again later.`, {
    extra: { retry_after_ms: Math.max(1, Math.ceil(waitMs)) },
  });
}

/** Makes those of one thread. */
export function createStateAnswers(clock: Clock): StateAnswers {
  const accounts = new LRUCache<string, Account>({ max: SERVERS_MAX });
  const underWay = new Map<string, Promise<string | Refusal>>();
  const remembered = new LRUCache<string, { readonly text: string; readonly untilMs: number }>({
    maxSize: REMEMBERED_CHARACTERS_MAX,
    sizeCalculation: ({ text }) => text.length + 1,
  });

  function accountOf(serverName: string): Account {
    const now = clock.monotonic();
    const account = accounts.get(serverName) ?? { open: 0, workMs: 0, at: now };
    account.workMs = Math.max(0, account.workMs - ((now - account.at) * WORK_MS_MAX) / WORK_WINDOW_MS);
    account.at = now;
    accounts.set(serverName, account);
    return account;
  }

  function refuseNow(serverName: string): Refusal | undefined {
    const { open, workMs } = accountOf(serverName);
    if (open >= ANSWERS_AT_ONCE_MAX) return tooMuch(serverName, RETRY_AFTER_MS);
    const excessMs = workMs - WORK_MS_MAX;
    return excessMs < 0 ? undefined : tooMuch(serverName, ((excessMs + 1) * WORK_WINDOW_MS) / WORK_MS_MAX);
  }

  async function work<T>(serverName: string, make: () => Promise<T>): Promise<T | Refusal> {
    const refused = refuseNow(serverName);
    if (refused !== undefined) return refused;
    const account = accountOf(serverName);
    account.open += 1;
    const startedAt = clock.monotonic();
    try {
      return await make();
    } finally {
      account.open -= 1;
      account.workMs += clock.monotonic() - startedAt;
    }
  }

  return {
    refuseNow,
    work,
    async answer(serverName, question, make) {
      const known = remembered.get(question);
      if (known !== undefined && clock.monotonic() < known.untilMs) return known.text;
      const same = underWay.get(question);
      if (same !== undefined) return same;
      const making = work(serverName, async () => {
        const text = await make();
        if (!isRefusal(text)) remembered.set(question, { text, untilMs: clock.monotonic() + REMEMBERED_MS });
        return text;
      }).finally(() => underWay.delete(question));
      underWay.set(question, making);
      return making;
    },
  };
}
