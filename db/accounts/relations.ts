import { defineRelation, type Relation } from '../kit/relation.ts';

const owner = 'accounts';
const toDevice = [{ table: 'devices', on: 'p.user_id = c.user_id AND p.device_id = c.device_id' }];
const shows = `c.user_id || ' ' || c.device_id`;

/** What of accounts belongs to what. */
export const ACCOUNT_RELATIONS: readonly Relation[] = [
  defineRelation({
    owner,
    child: 'devices',
    parents: [{ table: 'accounts', on: 'p.user_id = c.user_id' }],
    shows,
  }),
  ...['access_tokens', 'refresh_tokens', 'dehydrated_devices'].map((child) =>
    defineRelation({ owner, child, parents: toDevice, shows }),
  ),
];
