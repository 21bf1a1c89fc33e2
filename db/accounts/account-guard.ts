import type { TokenGuard } from './token-writer.ts';

/** The refusals of the guards in write sets about accounts. */
export type AccountGuard =
  'name-is-taken' | 'token-is-invalid' | 'no-such-account' | 'no-such-device' | TokenGuard;
