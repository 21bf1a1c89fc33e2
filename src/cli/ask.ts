import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { CommandFailed, type CommandContext, Interrupted } from './command.ts';

/** Largest text that is read from standard input where no terminal is, in bytes: a password has at most 512. */
const INPUT_BYTES_MAX = 4_096;

/** Swallows what the line editor would show. */
function silence(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}

function askOnTerminal(
  { streams }: Pick<CommandContext, 'streams'>,
  question: string,
  isSecret: boolean,
): Promise<string> {
  const { input, talk } = streams;
  const output = isSecret ? silence() : talk;
  // What is secret is read key by key, which keeps the terminal from showing it; otherwise the terminal itself is editor enough.
  const editor = createInterface({ input, output, terminal: isSecret, historySize: 0 });
  if (isSecret) talk.write(question);
  return new Promise((resolve, reject) => {
    let isAnswered = false;
    editor.once('SIGINT', () => {
      isAnswered = true;
      editor.close();
      talk.write('\n');
      reject(new Interrupted());
    });
    editor.once('close', () => {
      if (!isAnswered) reject(new CommandFailed('there was no answer'));
    });
    editor.question(isSecret ? '' : question, (answer) => {
      isAnswered = true;
      editor.close();
      if (isSecret) talk.write('\n');
      resolve(answer);
    });
  });
}

/**
 * Asks a question on the terminal. Ask only where `isAttended`.
 *
 * @throws Interrupted on Ctrl-C; CommandFailed on Ctrl-D
 */
export async function ask(context: Pick<CommandContext, 'streams'>, question: string): Promise<string> {
  return (await askOnTerminal(context, question, false)).trim();
}

/** The same, and what is typed is not shown. */
export function askSecret(context: Pick<CommandContext, 'streams'>, question: string): Promise<string> {
  return askOnTerminal(context, question, true);
}

/** Asks for a yes; anything else is a no. */
export async function confirm(context: Pick<CommandContext, 'streams'>, question: string): Promise<boolean> {
  const answer = await ask(context, `${question} [y/N] `);
  return ['y', 'yes'].includes(answer.toLowerCase());
}

/**
 * Reads one line from standard input, to its end; the line's own end is not part of it.
 *
 * @throws CommandFailed for more than one line, and for more than {@link INPUT_BYTES_MAX} bytes
 */
export async function readLine({ streams }: Pick<CommandContext, 'streams'>): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of streams.input) {
    const bytes = Buffer.from(chunk as Uint8Array);
    sizeBytes += bytes.length;
    if (sizeBytes > INPUT_BYTES_MAX) throw new CommandFailed('standard input holds more than one short line');
    chunks.push(bytes);
  }
  const line = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (line.includes('\n')) throw new CommandFailed('standard input holds more than one short line');
  return line;
}
