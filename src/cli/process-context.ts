import { once } from 'node:events';
import { systemClock } from '../kit/clock.ts';
import { createLogger } from '../kit/pino-logger.ts';
import { systemRandom } from '../kit/random.ts';
import type { CommandContext, CommandStreams } from './command.ts';
import { findConfigFile, readConfig } from './read-config.ts';

/** Who reads no more of the output (`| head`) has what they wanted. */
function watchReader(output: NodeJS.WriteStream): () => boolean {
  let isGone = false;
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    isGone = true;
  });
  return () => isGone;
}

/**
 * The context of a command that runs as this process.
 *
 * @param named what `--config` says
 */
export function createProcessContext(named: string | undefined): CommandContext {
  const configFile = findConfigFile(named, process.cwd());
  const streams: CommandStreams = { input: process.stdin, output: process.stdout, talk: process.stderr };
  const { input, output, talk } = streams;
  const isReaderGone = watchReader(output);
  const write = (text: string): void => void talk.write(text);
  return {
    streams,
    isAttended: input.isTTY && talk.isTTY,
    configFile,
    environment: process.env,
    clock: systemClock,
    random: systemRandom,
    log: createLogger({ level: 'warn', thread: 'main', sink: write, now: () => systemClock.now() }),
    loadConfig: () => readConfig(configFile, process.env),
    async print(text) {
      if (isReaderGone()) return false;
      // The error of a reader that is gone comes instead of the drain.
      if (!output.write(text))
        await Promise.race([once(output, 'drain'), once(output, 'close')]).catch(() => undefined);
      return !isReaderGone();
    },
    say: (line) => write(`${line}\n`),
  };
}
