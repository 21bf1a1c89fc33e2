import { defineRelation, type Relation } from '../kit/relation.ts';

/** What of key backups belongs to what. */
export const KEY_BACKUP_RELATIONS: readonly Relation[] = [
  defineRelation({
    owner: 'key-backup',
    child: 'key_backup_sessions',
    parents: ['key_backups', 'key_backup_leftovers'].map((table) => ({
      table,
      on: 'p.backup_nid = c.backup_nid',
    })),
    shows: `c.room_id || ' ' || c.session_id`,
  }),
];
