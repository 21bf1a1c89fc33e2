/** What a start of the server was told. */
export interface StartArguments {
  readonly configFile: string | undefined;
}

const CONFIG_IS = '--config=';

/**
 * Reads arguments that ask for nothing but a start of the server: `[start] [--config FILE]`. It is read by hand, so that a start loads nothing
 * that only the commands need.
 *
 * @returns null when they ask for something else, or are wrong: then the parser of the commands has the word
 */
export function readStartArguments(args: readonly string[]): StartArguments | null {
  const rest = args[0] === 'start' ? args.slice(1) : args;
  const [first, second, ...more] = rest;
  if (first === undefined) return { configFile: undefined };
  if (first.startsWith(CONFIG_IS) && first !== CONFIG_IS && second === undefined)
    return { configFile: first.slice(CONFIG_IS.length) };
  if (first === '--config' && second !== undefined && !second.startsWith('-') && more.length === 0)
    return { configFile: second };
  return null;
}
