import { refuse } from '../../../matrix/refusal.ts';

/** What other servers are told where the directory is for users of this server only. */
export const DIRECTORY_CLOSED = refuse('M_FORBIDDEN', 'The public directory is for users of this server.');
