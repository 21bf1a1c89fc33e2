import { defineRelation, type Relation } from '../kit/relation.ts';

/** The rows of a room that is being deleted go one after the other. */
const STAYS = 'NOT EXISTS (SELECT 1 FROM deleted_rooms d WHERE d.room_nid = c.room_nid)';

const owner = 'rooms';
const toEvent = (column: string) => [{ table: 'events', on: `p.event_nid = c.${column}` }];
const toRoom = [{ table: 'rooms', on: 'p.room_nid = c.room_nid' }];
const toStateKey = [{ table: 'state_keys', on: 'p.state_key_nid = c.state_key_nid' }];

/** What of rooms belongs to what. */
export const ROOM_RELATIONS: readonly Relation[] = [
  defineRelation({ owner, child: 'events', parents: toRoom, where: STAYS, shows: 'c.event_id' }),
  defineRelation({
    owner,
    child: 'events',
    parents: [{ table: 'state_groups', on: 'p.state_group = c.state_group' }],
    where: `c.state_group IS NOT NULL AND ${STAYS}`,
    shows: 'c.event_id',
  }),
  defineRelation({
    owner,
    child: 'events',
    parents: toStateKey,
    where: 'c.state_key_nid IS NOT NULL',
    shows: 'c.event_id',
  }),
  defineRelation({
    owner,
    child: 'forward_extremities',
    parents: toEvent('event_nid'),
    where: STAYS,
    shows: 'c.event_nid',
  }),
  defineRelation({ owner, child: 'current_state', parents: toRoom, where: STAYS, shows: 'c.room_nid' }),
  defineRelation({
    owner,
    child: 'current_state',
    parents: toEvent('event_nid'),
    where: STAYS,
    shows: 'c.event_nid',
  }),
  defineRelation({ owner, child: 'local_memberships', parents: toRoom, where: STAYS, shows: 'c.room_nid' }),
  defineRelation({
    owner,
    child: 'local_memberships',
    parents: [{ table: 'user_ids', on: 'p.user_nid = c.user_nid' }],
    shows: 'c.user_nid',
  }),
  defineRelation({ owner, child: 'room_aliases', parents: toRoom, where: STAYS, shows: 'c.alias' }),
  defineRelation({
    owner,
    child: 'event_relations',
    parents: toEvent('child_nid'),
    where: STAYS,
    shows: 'c.child_nid',
  }),
  defineRelation({
    owner,
    child: 'sticky_events',
    parents: toEvent('event_nid'),
    where: STAYS,
    shows: 'c.event_nid',
  }),
  defineRelation({
    owner,
    child: 'resolved_states',
    parents: [{ table: 'state_groups', on: 'p.state_group = c.state_group' }],
    where: STAYS,
    shows: 'c.state_group',
  }),
];
