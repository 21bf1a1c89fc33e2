import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import type { AccountGuard } from './account-guard.ts';

type User = { readonly userId: string };
type Since = User & { readonly sinceTs: number | null };

const NO_SUCH_ACCOUNT = { expectChanges: 1, refusal: 'no-such-account' satisfies AccountGuard } as const;

export const updateLocked = defineQuery<Since>({
  name: 'accounts.update-locked',
  sql: 'UPDATE accounts SET locked_ts = :sinceTs WHERE user_id = :userId AND deactivated_ts IS NULL',
});

export const updateSuspended = defineQuery<Since>({
  name: 'accounts.update-suspended',
  sql: 'UPDATE accounts SET suspended_ts = :sinceTs WHERE user_id = :userId AND deactivated_ts IS NULL',
});

/** Locks or suspends an account, or (null) ends that. Guard: `no-such-account`. */
export function moderateAccount(
  userId: string,
  measure: 'lock' | 'suspend',
  sinceTs: number | null,
): readonly WriteStep[] {
  const query = measure === 'lock' ? updateLocked : updateSuspended;
  return [step(query, { userId, sinceTs }, NO_SUCH_ACCOUNT)];
}

export const updateGuest = defineQuery<User & { readonly passwordHash: string }>({
  name: 'accounts.upgrade-guest',
  sql: `
    UPDATE accounts SET is_guest = 0, password_hash = :passwordHash
     WHERE user_id = :userId AND is_guest = 1 AND deactivated_ts IS NULL`,
});

/** Makes a guest an ordinary user. Guard: `no-such-account`. */
export function upgradeGuest(userId: string, passwordHash: string): readonly WriteStep[] {
  return [step(updateGuest, { userId, passwordHash }, NO_SUCH_ACCOUNT)];
}

export const updateDeactivated = defineQuery<User & { readonly now: number; readonly erase: number }>({
  name: 'accounts.deactivate-account',
  sql: `
    UPDATE accounts
       SET deactivated_ts = coalesce(deactivated_ts, :now), password_hash = NULL, is_leaving = 1,
           erased_ts = CASE :erase WHEN 1 THEN coalesce(erased_ts, :now) ELSE erased_ts END
     WHERE user_id = :userId`,
});

export const deleteProfile = defineQuery<User>({
  name: 'accounts.delete-profile',
  sql: 'DELETE FROM profile_fields WHERE user_id = :userId',
});

/** Marks an account as deactivated, and its rooms as to be left, without its devices. Guard: `no-such-account`. */
export function deactivateAccount(userId: string, erase: boolean, now: number): readonly WriteStep[] {
  const mark = step(updateDeactivated, { userId, now, erase: erase ? 1 : 0 }, NO_SUCH_ACCOUNT);
  return erase ? [mark, step(deleteProfile, { userId })] : [mark];
}

export const clearLeaving = defineQuery<User>({
  name: 'accounts.clear-leaving',
  sql: 'UPDATE accounts SET is_leaving = 0 WHERE user_id = :userId',
});

/** The rooms of a deactivated account are left. */
export function endLeaving(userId: string): readonly WriteStep[] {
  return [step(clearLeaving, { userId })];
}
