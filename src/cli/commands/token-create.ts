import { InvalidArgumentError } from 'commander';
import { defineCommand, EXIT } from '../command.ts';
import { parseEnd } from '../token-end.ts';

interface TokenOptions {
  readonly uses: number | null;
  readonly expires?: string;
}

function parseUses(text: string): number | null {
  if (text === 'unlimited') return null;
  const uses = Number(text);
  if (!/^\d+$/.test(text) || uses < 1 || !Number.isSafeInteger(uses))
    throw new InvalidArgumentError('It is a whole number from 1 on, or "unlimited".');
  return uses;
}

export const tokenCreateCommand = defineCommand<TokenOptions>({
  name: 'create',
  summary: 'make a registration token, with which people can make their own accounts',
  help: 'It prints the token.',
  define: (command) =>
    command
      .option('--uses <N>', 'how many accounts it is good for, or "unlimited"', parseUses, 1)
      .option(
        '--expires <WHEN>',
        'when it ends: in 12h, 7d or 4w, or a day such as 2027-01-31; never without it',
      ),
  async run(context, { options }) {
    const { uses, expires } = options;
    const expiresTs = expires === undefined ? null : parseEnd(expires, context.clock.now());
    const [{ textOf }, { withServer }] = await Promise.all([
      import('../control-client.ts'),
      import('../with-server.ts'),
    ]);
    const made = await withServer(context, { mayCreate: true }, (server) =>
      server.ask('POST', '/registration-tokens', { uses_allowed: uses, expires_ts: expiresTs }),
    );
    const often = uses === null ? 'any number of accounts' : uses === 1 ? 'one account' : `${uses} accounts`;
    const end = expiresTs === null ? '' : `, until ${new Date(expiresTs).toISOString()}`;
    context.say(`Good for ${often}${end}:`);
    await context.print(`${textOf(made, 'token')}\n`);
    return EXIT.done;
  },
});
