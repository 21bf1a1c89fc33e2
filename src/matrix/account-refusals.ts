import { type Refusal, refuse } from './refusal.ts';

/** What whoever is locked is told: a 401 that lets the client keep its keys. Client-Server API v1.19, "Account locking". */
export const USER_LOCKED: Refusal = refuse('M_USER_LOCKED', 'This account has been locked.', {
  extra: { soft_logout: true },
});

/** What whoever is suspended is told where others would notice. Client-Server API v1.19, "Account suspension". */
export const USER_SUSPENDED: Refusal = refuse(
  'M_USER_SUSPENDED',
  'This account has been suspended: it can only be used to read and to leave.',
);

/** What guests are told. Client-Server API v1.19, "Guest Access". */
export const NO_GUESTS: Refusal = refuse('M_GUEST_ACCESS_FORBIDDEN', 'Guests may not do this.');

/** The answer to a token that has ended by itself: the client logs in again on the same device. */
export const TOKEN_EXPIRED: Refusal = refuse('M_UNKNOWN_TOKEN', 'The access token has expired.', {
  extra: { soft_logout: true },
});
