import { expect } from 'chai';
import { defineQuery } from '../../../db/kit/query.ts';
import { step, type WriteOutcome, type WriteStep } from '../../../db/kit/write-set.ts';
import { leaveRoom } from '../../../db/rooms/out-of-band-writer.ts';
import { type EventWrite, storeEvent, storeRoom } from '../../../db/rooms/writer.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const USER = '@user:example.com';
const ROOM = { roomNid: 1, roomId: '!room:example.com' };

/** Everything that the leave of the last local member changes. */
const everything = defineQuery<Record<string, never>, Readonly<Record<string, unknown>>>({
  name: 'test.everything-of-a-room',
  sql: `
    SELECT (SELECT count(*) FROM events) AS events,
           (SELECT count(*) FROM current_state) AS state,
           (SELECT group_concat(event_nid) FROM forward_extremities) AS extremities,
           (SELECT group_concat(membership || event_nid) FROM local_memberships) AS memberships,
           (SELECT count(*) FROM state_groups) AS groups,
           (SELECT count(*) FROM room_changes) AS changes,
           (SELECT position FROM stream_positions WHERE stream = 'events') AS position`,
});

const nothing = defineQuery<Record<string, never>>({
  name: 'test.change-nothing',
  sql: 'UPDATE rooms SET creator = creator WHERE room_nid = -1',
});

function memberWrite(
  eventId: string,
  membership: string,
  stateGroup: number,
  follows: readonly string[],
): EventWrite {
  const state = { type: 'm.room.member', stateKey: USER };
  return {
    roomNid: 1,
    eventId,
    depth: stateGroup,
    originServerTs: 0,
    pdu: JSON.stringify({ type: 'm.room.member', sender: USER, content: { membership } }),
    state: { ...state, membership },
    stateGroup: {
      kind: 'new',
      stateGroup,
      parent: stateGroup === 1 ? null : stateGroup - 1,
      changes: [{ ...state, eventId }],
      isCheckpoint: false,
    },
    follows,
    localMembership: { userId: USER, membership, sender: USER },
    redacts: null,
    transaction: null,
  };
}

describe('the write set with which this server leaves a room', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase({ queries: [everything, nothing] });
    const events = [memberWrite('$join', 'join', 1, [])];
    const room = { ...ROOM, roomVersion: '11', creator: USER, isPublic: false, alias: null };
    expect((await write(storeRoom({ ...room, events }), 1)).kind).to.equal('committed');
  });
  afterEach(() => database.close());

  const write = (steps: readonly WriteStep[], count: number): Promise<WriteOutcome> =>
    database.write.write({ owner: 'rooms', advance: { stream: 'events', count }, steps });
  const read = () => database.db.get(everything, {});

  it('5.8 leaves nothing behind, wherever between two of its statements it ends', async () => {
    const before = await read();
    const steps = [...storeEvent(memberWrite('$leave', 'leave', 2, ['$join']), 0), ...leaveRoom(ROOM, 1)];
    for (let index = 0; index <= steps.length; index += 1) {
      const failing = step(nothing, {}, { expectChanges: 1, refusal: 'ended-here' });
      const outcome = await write(steps.toSpliced(index, 0, failing), 2);
      expect(outcome).to.include({ kind: 'refused', refusal: 'ended-here' });
      expect(await read(), `before step ${index}`).to.deep.equal(before);
    }
    expect((await write(steps, 2)).kind).to.equal('committed');
    expect(await read()).to.deep.equal({
      events: 2,
      state: 0,
      extremities: null,
      memberships: 'leave2',
      groups: 2,
      changes: 1,
      position: 3,
    });
  });
});
