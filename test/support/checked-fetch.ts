import { after, afterEach } from 'mocha';
import type { Json } from '../../src/kit/json.ts';
import { getSpecAnswers } from './spec-answers.ts';

/** What was wrong with answers since the last test. */
const problems: string[] = [];
/** And in all tests before, with their names. */
const told: string[] = [];

/**
 * `fetch` whose answers have to be what the specification says. What is not fails the run at its end: whoever called, a client that tries
 * again for instance, may not tell.
 */
export async function checkedFetch(
  input: Parameters<typeof fetch>[0],
  init?: Parameters<typeof fetch>[1],
): Promise<Response> {
  const response = await fetch(input, init);
  const { status, headers } = response;
  const contentType = headers.get('Content-Type');
  const isJson = contentType === 'application/json';
  const text = isJson ? await response.text() : null;
  const method = (init?.method ?? (input instanceof Request ? input.method : 'GET')).toUpperCase();
  const { pathname } = new URL(input instanceof Request ? input.url : input);
  const body = text === null || text === '' ? null : (JSON.parse(text) as Json);
  for (const problem of getSpecAnswers().problems(method, pathname, { status, contentType, body }))
    problems.push(`${method} ${pathname} answered ${status} ${text ?? ''}: ${problem}`);
  return text === null ? response : new Response(text, { status, headers });
}

// For every test of the run: these hooks are no part of any one suite. A hook that fails after each would keep all other tests from running.
afterEach(function () {
  const title = this.currentTest?.fullTitle() ?? 'before any test';
  told.push(...problems.splice(0).map((problem) => `${title}: ${problem}`));
});

after('every answer was what the specification says', () => {
  if (told.length > 0) throw new Error(told.join('\n'));
});
