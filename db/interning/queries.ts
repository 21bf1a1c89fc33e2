import { defineQuery } from '../kit/query.ts';

/** Gives a user id its number, if it has none yet. */
export const internUser = defineQuery<{ readonly userId: string }>({
  name: 'interning.intern-user',
  sql: 'INSERT OR IGNORE INTO user_ids (user_id) VALUES (:userId)',
});

/** Gives a place of the state its number, if it has none yet. */
export const internStateKey = defineQuery<{ readonly type: string; readonly stateKey: string }>({
  name: 'interning.intern-state-key',
  sql: 'INSERT OR IGNORE INTO state_keys (type, state_key) VALUES (:type, :stateKey)',
});

/** The number of `:userId`, inside another statement; null when it was never interned. */
export const USER_NID = '(SELECT user_nid FROM user_ids WHERE user_id = :userId)';

/** The number of (`:type`, `:stateKey`), inside another statement; null when it was never interned. */
export const STATE_KEY_NID =
  '(SELECT state_key_nid FROM state_keys WHERE type = :type AND state_key = :stateKey)';
