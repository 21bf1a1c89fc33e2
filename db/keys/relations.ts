import { defineRelation, type Relation } from '../kit/relation.ts';

/** A device that has gone leaves its keys until their owner has been told. */
const parents = ['devices', 'departed_devices'].map((table) => ({
  table,
  on: 'p.user_id = c.user_id AND p.device_id = c.device_id',
}));

/** What of encryption keys belongs to what. */
export const KEY_RELATIONS: readonly Relation[] = ['device_keys', 'one_time_keys', 'fallback_keys'].map(
  (child) => defineRelation({ owner: 'keys', child, parents, shows: `c.user_id || ' ' || c.device_id` }),
);
