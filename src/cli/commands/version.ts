import { join } from 'node:path';
import { findText, PROGRAM_FOLDER } from '../../kit/program-files.ts';
import { CommandFailed, defineCommand, EXIT } from '../command.ts';

/** Made with the one-file program, and in it. */
const LICENSES = join(PROGRAM_FOLDER, 'THIRD-PARTY-LICENSES.txt');

function readLicenses(): string {
  const licenses = findText(LICENSES);
  if (licenses !== undefined) return licenses;
  throw new CommandFailed('in a clone each package has its license beside it: see node_modules/*/LICENSE');
}

export const versionCommand = defineCommand<{ readonly json?: true; readonly licenses?: true }>({
  name: 'version',
  summary: 'say which version of what this is',
  define: (command) =>
    command
      .option('--json', 'as a JSON object')
      .option('--licenses', 'print the licenses of what others have made and is in the one-file program'),
  async run({ print }, { options }) {
    if (options.licenses === true) {
      await print(readLicenses());
      return EXIT.done;
    }
    const [{ IMPLEMENTATION }, { sqliteVersion }, { findCommit }] = await Promise.all([
      import('../../http/kit/implementation.ts'),
      import('../../../db/kit/sqlite-version.ts'),
      import('../commit.ts'),
    ]);
    const versions = {
      troupe: IMPLEMENTATION.version,
      commit: findCommit(PROGRAM_FOLDER) ?? null,
      node: process.versions.node,
      sqlite: sqliteVersion(),
    };
    const lines = Object.entries(versions)
      .filter(([, version]) => version !== null)
      .map(([name, version]) => `${name.padEnd(7)} ${version}\n`);
    await print(options.json === true ? `${JSON.stringify(versions)}\n` : lines.join(''));
    return EXIT.done;
  },
});
