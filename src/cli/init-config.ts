import { writeFileSync } from 'node:fs';
import { configSchema } from '../config/schema.ts';
import { ask } from './ask.ts';
import { CommandFailed, type CommandContext, WrongUsage } from './command.ts';
import { makeConfigText } from './config-template.ts';
import { isBuiltInConfig, readBuiltInConfig } from './read-config.ts';

/** It may come to hold secrets. */
const CONFIG_MODE = 0o600;

function whatIsWrong(serverName: string): string | undefined {
  const option = configSchema([])['server']?.['name'];
  if (option === undefined) throw new Error('there is no option server.name');
  if (option.accepts(serverName)) return undefined;
  return `"${serverName}" cannot be a server's name: that is ${option.allowed}, such as example.org`;
}

/**
 * The name for a new server: the one that was given, or what somebody at the terminal answers.
 *
 * @throws WrongUsage when it cannot be one, or none was given and nobody is there to ask
 */
export async function findServerName(
  context: Pick<CommandContext, 'isAttended' | 'streams' | 'say'>,
  given: string | undefined,
): Promise<string> {
  if (given !== undefined) {
    const wrong = whatIsWrong(given);
    if (wrong !== undefined) throw new WrongUsage(wrong);
    return given;
  }
  if (!context.isAttended) throw new WrongUsage('name the server: troupe init --server-name example.org');
  context.say('The name of the server is what stands after the colon in user ids (@you:example.org).');
  context.say('It can never be changed once there are users.');
  for (;;) {
    // Each answer depends on the one before it having been wrong.
    const answer = await ask(context, 'Server name: ');
    const wrong = whatIsWrong(answer);
    if (wrong === undefined) return answer;
    context.say(wrong);
  }
}

/**
 * Writes a configuration file for a new server, readable by its owner only.
 *
 * @throws CommandFailed when there is one already, and `isForced` is false; an error with a `code` when it cannot be written
 */
export function writeConfigFile(file: string, serverName: string, isForced: boolean): void {
  if (isBuiltInConfig(file))
    throw new CommandFailed(
      `${file} holds the defaults of this program; name another file: troupe init my.toml`,
    );
  const text = makeConfigText(readBuiltInConfig(), serverName, file);
  try {
    writeFileSync(file, text, { flag: isForced ? 'w' : 'wx', mode: CONFIG_MODE });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new CommandFailed(`${file} is there already; name another file, or write over it with --force`);
  }
}
