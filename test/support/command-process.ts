import { spawn, spawnSync } from 'node:child_process';
import { programFor, spawnTroupe } from './troupe-process.ts';

/** A command that has ended. */
export interface EndedCommand {
  readonly code: number | null;
  /** What it printed: data. */
  readonly out: string;
  /** What it said: talk. */
  readonly said: string;
}

/** Runs a command of the program as a process of its own, on a data folder, and waits for its end. */
export async function runCommandProcess(
  folder: string,
  args: readonly string[],
  input = '',
): Promise<EndedCommand> {
  const { child } = spawnTroupe(folder, {}, args, false, 'pipe');
  let out = '';
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stdin?.end(input);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, said };
}

/**
 * The same on a terminal, which the program "script" makes: waits for each question, and answers it.
 *
 * @returns what the terminal has shown; null where that program is not there
 */
export async function runOnTerminal(
  folder: string,
  args: string,
  answers: readonly (readonly [question: string, answer: string])[],
): Promise<{ readonly code: number | null; readonly shown: string } | null> {
  if (spawnSync('script', ['--version']).status !== 0) return null;
  const { program, args: before, env } = programFor(folder);
  const command = [program, ...before, args].join(' ');
  const child = spawn('script', ['-qfec', command, '/dev/null'], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  let shown = '';
  let read = 0;
  const left = [...answers];
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
    const [next] = left;
    if (next === undefined || !shown.includes(next[0], read)) return;
    read = shown.length;
    left.shift();
    child.stdin.write(`${next[1]}\r`);
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, shown };
}
