import { expect } from 'chai';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { diffStates } from '../../../src/state-resolution/diff-states.ts';
import { DIFFERENCE_LIMIT_MAX, type StateDifference } from '../../../src/state-resolution/explanation.ts';
import type { TestDatabase } from '../../support/database.ts';
import { CREATOR, createForkDatabase, type ForkedRoom, startForkedRoom } from './forked-room.ts';
import { furnish } from './random-room.ts';

const PAGE = { offset: 0, limit: 100 };

describe('the difference between two states', () => {
  let database: TestDatabase;
  let room: ForkedRoom;
  beforeEach(async () => {
    database = await createForkDatabase();
    room = startForkedRoom(database, '11');
    furnish(room);
  });
  afterEach(() => database.close());

  async function diff(from: string, to: string, page = PAGE): Promise<StateDifference> {
    const answer = await diffStates(database.db, { roomId: room.roomId, from, to, ...page });
    if (isRefusal(answer)) throw new Error(answer.error);
    return answer;
  }
  const entry = (type: string, stateKey: string, prev: readonly string[]): string =>
    room.add({ type, stateKey, sender: CREATOR, prev, receivedFrom: 'one.example' });
  const kinds = ({ changes }: StateDifference) =>
    changes.map((change) => [
      change.kind,
      change.type,
      change.state_key,
      change.before?.event_id ?? null,
      change.after?.event_id ?? null,
    ]);

  it('says what was added, changed and removed, either way, in order', async () => {
    const root = room.newest;
    const left = entry('test.b', 'left', [entry('test.both', '', [root])]);
    const both = room.stateAfter(left).get('test.both\u0000') ?? '';
    const right = entry('test.a', 'right', [entry('test.both', '', [root])]);
    const other = room.stateAfter(right).get('test.both\u0000') ?? '';
    await room.flush();
    const there = await diff(left, right);
    expect(kinds(there)).to.deep.equal([
      ['added', 'test.a', 'right', null, right],
      ['removed', 'test.b', 'left', left, null],
      ['changed', 'test.both', '', both, other],
    ]);
    expect(there).to.deep.include({ added: 1, changed: 1, removed: 1, next_offset: null });
    const entries = room.stateAfter(left).size;
    expect(there.from).to.deep.equal({ at: left, entries });
    expect(there.to).to.deep.equal({ at: right, entries });
    expect(there.changes[0]?.after).to.deep.include({ sender: CREATOR, received_from: 'one.example' });
    const back = await diff(right, left);
    expect(kinds(back)).to.deep.equal([
      ['removed', 'test.a', 'right', right, null],
      ['added', 'test.b', 'left', null, left],
      ['changed', 'test.both', '', other, both],
    ]);
    expect(await diff(left, left)).to.deep.include({ added: 0, changed: 0, removed: 0, changes: [] });
  });

  it('compares with the current state', async () => {
    const root = room.newest;
    const left = entry('test.entry', 'left', [root]);
    const right = entry('test.entry', 'right', [root]);
    room.leaveOpen([left, right]);
    await room.flush();
    expect(kinds(await diff(left, 'current'))).to.deep.equal([['added', 'test.entry', 'right', null, right]]);
    room.leaveOpen([left]);
    await room.flush();
    expect((await diff(left, 'current')).changes).to.deep.equal([]);
  });

  it('gives a page at a time, and never more than its bound', async () => {
    const root = room.newest;
    let last = root;
    for (let index = 0; index < 25; index += 1) last = entry('test.entry', `key ${index}`, [last]);
    await room.flush();
    const seen: string[] = [];
    let offset: number | null = 0;
    let pages = 0;
    while (offset !== null) {
      const page: StateDifference = await diff(root, last, { offset, limit: 10 });
      expect(page.added, 'of all pages').to.equal(25);
      seen.push(...page.changes.map((change) => change.state_key));
      offset = page.next_offset;
      pages += 1;
    }
    expect(pages).to.equal(3);
    expect(seen).to.deep.equal(Array.from({ length: 25 }, (_, index) => `key ${index}`).toSorted());
    expect((await diff(root, last, { offset: 0, limit: 25 })).next_offset).to.equal(null);
    const beyond = { offset: 0, limit: DIFFERENCE_LIMIT_MAX * 2 };
    for (let index = 0; index < DIFFERENCE_LIMIT_MAX; index += 1)
      last = entry('test.entry', `${index}`, [last]);
    await room.flush();
    const bounded = await diff(root, last, beyond);
    expect(bounded.changes).to.have.lengthOf(DIFFERENCE_LIMIT_MAX);
    expect(bounded.next_offset).to.equal(DIFFERENCE_LIMIT_MAX);
  });

  it('refuses what is not known, naming it', async () => {
    const root = room.newest;
    await room.flush();
    const errors: string[] = [];
    for (const [from, to] of [
      ['$from', root],
      [root, '$to'],
    ] as const) {
      const answer = await diffStates(database.db, { roomId: room.roomId, from, to, ...PAGE });
      errors.push(isRefusal(answer) ? `${answer.errcode} ${answer.error}` : 'answered');
    }
    expect(errors[0]).to.match(/^M_NOT_FOUND .*\$from/);
    expect(errors[1]).to.match(/^M_NOT_FOUND .*\$to/);
    const unknown = { roomId: '!unknown:example.com', from: root, to: root, ...PAGE };
    expect(await diffStates(database.db, unknown)).to.deep.include({ errcode: 'M_NOT_FOUND', status: 404 });
  });
});
