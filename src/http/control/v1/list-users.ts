import { Type } from 'typebox';
import { readAccounts } from '../../../../db/accounts/reader.ts';
import { localpartOf } from '../../../matrix/identifiers/user-id.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** How many users one answer lists at most. */
export const USERS_PER_PAGE_MAX = 500;

const User = Type.Object({
  name: Type.String(),
  user_id: Type.String(),
  admin: Type.Boolean(),
  guest: Type.Boolean(),
  deactivated: Type.Boolean(),
  locked: Type.Boolean(),
  suspended: Type.Boolean(),
  created_ts: Type.Integer(),
  last_seen_ts: Type.Union([Type.Integer(), Type.Null()]),
});

/** Lists the users of this server by their ids, page by page; times in milliseconds since the Unix epoch. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/control/v1/users',
  spec: 'Troupe control v1: lists the users of this server',
  auth: 'admin',
  rateLimit: null,
  query: Type.Object({
    /** The `next` of the page before; from the first user on when absent. */
    after: Type.Optional(Type.String()),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: USERS_PER_PAGE_MAX })),
  }),
  reply: Type.Object({
    users: Type.Array(User),
    /** Null: these were the last ones. */
    next: Type.Union([Type.String(), Type.Null()]),
  }),
  needs: ['db'],
  async handle({ query, services }) {
    const { after = '', limit = USERS_PER_PAGE_MAX } = query;
    const accounts = await readAccounts(services.db, after, limit);
    const users = accounts.map((account) => ({
      name: localpartOf(account.userId),
      user_id: account.userId,
      admin: account.isAdmin,
      guest: account.isGuest,
      deactivated: account.isDeactivated,
      locked: account.isLocked,
      suspended: account.isSuspended,
      created_ts: account.createdTs,
      last_seen_ts: account.lastSeenTs,
    }));
    return { users, next: users.length < limit ? null : (users.at(-1)?.user_id ?? null) };
  },
});
