import { type CliCommand, defineGroup } from './command.ts';
import { backupCommand } from './commands/backup.ts';
import { checkConfigCommand } from './commands/check-config.ts';
import { initCommand } from './commands/init.ts';
import { restoreCommand } from './commands/restore.ts';
import { startCommand } from './commands/start.ts';
import { tokenCreateCommand } from './commands/token-create.ts';
import { userCreateCommand } from './commands/user-create.ts';
import { userDeactivateCommand } from './commands/user-deactivate.ts';
import { userListCommand } from './commands/user-list.ts';
import { userResetPasswordCommand } from './commands/user-reset-password.ts';
import { verifyCommand } from './commands/verify.ts';
import { versionCommand } from './commands/version.ts';

/** Every command, in the order in which they are listed. */
export const COMMANDS: readonly CliCommand[] = [
  startCommand,
  initCommand,
  checkConfigCommand,
  defineGroup('user', 'make, list and change accounts', [
    userCreateCommand,
    userResetPasswordCommand,
    userListCommand,
    userDeactivateCommand,
  ]),
  defineGroup('token', 'let people make their own accounts', [tokenCreateCommand]),
  backupCommand,
  restoreCommand,
  verifyCommand,
  versionCommand,
];
