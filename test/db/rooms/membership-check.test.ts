import { expect } from 'chai';
import { defineQuery } from '../../../db/kit/query.ts';
import { step } from '../../../db/kit/write-set.ts';
import { countInconsistentMemberships } from '../../../db/rooms/membership-check-reader.ts';
import { storeRoom } from '../../../db/rooms/writer.ts';
import { isOfServer } from '../../../src/matrix/identifiers/domain.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const ROOM = '!room:example.com';
const MEMBERS = [
  ['@local:example.com', 'join'],
  ['@invited:example.com', 'invite'],
  ['@far:other.example', 'join'],
  ['@bad:badexample.com', 'join'],
  ['@port:example.com:8448', 'join'],
] as const;

const tampering = (name: string, sql: string) => defineQuery<Record<string, never>>({ name, sql });
const USER = `(SELECT user_nid FROM user_ids WHERE user_id = '@local:example.com')`;
const TAMPERINGS = {
  'another membership': tampering(
    'test.another-membership',
    `UPDATE local_memberships SET membership = 'leave' WHERE user_nid = ${USER}`,
  ),
  'another event': tampering(
    'test.another-event',
    `UPDATE local_memberships SET event_nid = 3 WHERE user_nid = ${USER}`,
  ),
  'a row that is missing': tampering(
    'test.missing-row',
    `DELETE FROM local_memberships WHERE user_nid = ${USER}`,
  ),
  'a row that is left over': tampering(
    'test.left-over',
    `DELETE FROM current_state
      WHERE state_key_nid = (SELECT state_key_nid FROM state_keys WHERE state_key = '@local:example.com')`,
  ),
  'a join in a room that was left': tampering('test.left-room', 'DELETE FROM forward_extremities'),
};

describe('the check of memberships', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase({ queries: Object.values(TAMPERINGS) });
    const events = MEMBERS.map(([userId, membership], index) => ({
      roomNid: 1,
      eventId: `$${userId}`,
      depth: index + 1,
      originServerTs: 0,
      pdu: JSON.stringify({ type: 'm.room.member', sender: userId, content: { membership } }),
      state: { type: 'm.room.member', stateKey: userId, membership },
      stateGroup: null,
      follows: [],
      localMembership: isOfServer(userId, 'example.com') ? { userId, membership, sender: userId } : null,
      redacts: null,
      transaction: null,
    }));
    const room = { roomNid: 1, roomId: ROOM, roomVersion: '11', creator: '@local:example.com' };
    const steps = storeRoom({ ...room, isPublic: false, alias: null, events });
    const advance = { stream: 'events', count: events.length };
    const outcome = await database.write.write({ owner: 'rooms', advance, steps });
    expect(outcome.kind).to.equal('committed');
  });
  afterEach(() => database.close());

  const count = (): Promise<number> => countInconsistentMemberships(database.db, ROOM, 'example.com');

  it('5.6 5.7 finds nothing where all is right, and counts local users only, by their exact server', async () => {
    expect(await count()).to.equal(0);
    expect(await countInconsistentMemberships(database.db, ROOM, 'badexample.com')).to.equal(1);
    expect(await countInconsistentMemberships(database.db, ROOM, 'example.com:8448')).to.equal(1);
    expect(await countInconsistentMemberships(database.db, ROOM, 'com')).to.equal(0);
    expect(await countInconsistentMemberships(database.db, '!none:example.com', 'example.com')).to.equal(0);
  });

  for (const [name, query] of Object.entries(TAMPERINGS))
    it(`5.7 finds ${name}`, async () => {
      await database.write.write({ owner: 'test', steps: [step(query, {})] });
      expect(await count()).to.equal(1);
    });
});
