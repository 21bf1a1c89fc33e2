/** A line of the built-in file that sets an option. */
const OPTION = /^[a-z_]+ = /;

/**
 * Makes a configuration file for one server of the built-in one: every option with its explanation, switched off, so that later defaults
 * are taken up; only the name is set.
 *
 * @param builtIn the text of the built-in `config.toml`
 * @param file what the file will be called
 */
export function makeConfigText(builtIn: string, serverName: string, file: string): string {
  const body = builtIn.slice(builtIn.indexOf('[server]'));
  const lines = body.split('\n').map((line) => {
    if (line.startsWith('name = ')) return `name = ${JSON.stringify(serverName)}`;
    return OPTION.test(line) ? `#${line}` : line;
  });
  const head = [
    `# The configuration of the Matrix homeserver ${serverName}.`,
    '#',
    '# Each option stands here with its default, switched off by a "#" in front of it. Remove that to change it. Look it over with',
    `#   troupe check-config --config ${file}`,
    '# and start with',
    `#   troupe start --config ${file}`,
    '# Environment variables TROUPE_<SECTION>_<KEY>, for example TROUPE_LOG_LEVEL=debug, win over this file.',
  ];
  return `${head.join('\n')}\n\n${lines.join('\n')}`;
}
