import { createRequire } from 'node:module';
import { Script } from 'node:vm';
import { threadName, isMainThread } from 'node:worker_threads';
import type { Bundle } from './host.ts';

type Wrapper = (exports: object, require: NodeJS.Require, module: { exports: object }) => void;

/**
 * Which of the code caches this thread takes: threads of one kind compile the same functions.
 *
 * @param module what the thread runs
 */
export function codeCacheName(module: string): string {
  if (isMainThread) return 'main';
  const name = threadName?.replace(/-\d+$/, '') ?? '';
  return module === 'actors/thread-main.ts' && name !== '' ? name : 'pool';
}

/**
 * Evaluates a bundle. A code cache of another engine, or of another text, is as good as none.
 *
 * @param text of the bundle: a function of `exports`, `require` and `module`
 * @param file what stack traces call it
 */
export function evaluateBundle(
  text: string,
  file: string,
  codeCache?: Buffer,
): { readonly bundle: Bundle; readonly script: Script } {
  const script = new Script(text, {
    filename: file,
    ...(codeCache === undefined ? {} : { cachedData: codeCache }),
  });
  const module = { exports: {} };
  (script.runInThisContext() as Wrapper)(module.exports, createRequire(file), module);
  return { bundle: module.exports as Bundle, script };
}
