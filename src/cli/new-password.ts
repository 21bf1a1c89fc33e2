import { askSecret, readLine } from './ask.ts';
import { CommandFailed, type CommandContext, WrongUsage } from './command.ts';
import type { PasswordOptions } from './password-options.ts';

/** 20 characters out of 62 hold 119 bits. */
const GENERATED_LENGTH = 20;

/** A new password. */
export interface NewPassword {
  readonly password: string;
  /** It was made, and is to be printed. */
  readonly isGenerated: boolean;
}

/**
 * Gets a new password: made, from standard input, or asked for twice on a terminal.
 *
 * @throws WrongUsage when both options are given; CommandFailed when it is empty, or the two are not the same
 */
export async function getNewPassword(
  context: CommandContext,
  { passwordStdin, generate }: PasswordOptions,
): Promise<NewPassword> {
  if (passwordStdin === true && generate === true)
    throw new WrongUsage('--password-stdin and --generate exclude each other');
  if (generate === true) return { password: context.random.text(GENERATED_LENGTH), isGenerated: true };
  const isAsked = context.isAttended && passwordStdin !== true;
  const password = isAsked ? await askSecret(context, 'Password: ') : await readLine(context);
  if (password === '')
    throw new CommandFailed(
      'the password is empty: give one on standard input, or have one made with --generate',
    );
  if (isAsked && (await askSecret(context, 'Again: ')) !== password)
    throw new CommandFailed('the two passwords are not the same: nothing was changed');
  return { password, isGenerated: false };
}
