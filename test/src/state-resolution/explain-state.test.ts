import { expect } from 'chai';
import type { StateExplanation } from '../../../src/state-resolution/explanation.ts';
import { explainState } from '../../../src/state-resolution/explain-state.ts';
import { STEPS_MAX } from '../../../src/state-resolution/replay.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { stateKeyOf, stateName } from '../../../src/matrix/state-resolution/state-map.ts';
import type { TestDatabase } from '../../support/database.ts';
import { CREATOR, createForkDatabase, type ForkedRoom, startForkedRoom } from './forked-room.ts';
import { furnish, growRandomRoom } from './random-room.ts';
import { makeWideRoom } from './wide-room.ts';

const SEED = 20_261_202;
const ANN = '@ann:example.com';
const BEN = '@ben:one.example';

describe('explaining an entry of a state', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createForkDatabase();
  });
  afterEach(() => database.close());

  async function why(
    room: ForkedRoom,
    at: string,
    type: string,
    stateKey = '',
    options: { readonly walkMax?: number } = {},
  ): Promise<StateExplanation> {
    const answer = await explainState(database.db, { roomId: room.roomId, at, type, stateKey }, options);
    if (isRefusal(answer)) throw new Error(answer.error);
    return answer;
  }
  const message = (room: ForkedRoom, prev?: readonly string[]): string =>
    room.add({ type: 'm.room.message', sender: CREATOR, ...(prev !== undefined && { prev }) });

  /** The creator bans Ben on one branch while Ben, a moderator, sets the topic on the other; then they meet. */
  function quarrel(version = '11') {
    const room = startForkedRoom(database, version);
    furnish(room, [ANN, BEN]);
    const users = { ...(room.version.creatorsArePrivileged ? {} : { [CREATOR]: 100 }), [BEN]: 50 };
    const root = room.add({ type: 'm.room.power_levels', stateKey: '', sender: CREATOR, content: { users } });
    const topic = { type: 'm.room.topic', stateKey: '' };
    const old = room.add({ ...topic, sender: CREATOR, content: { topic: 'old' }, prev: [root] });
    const ban = room.add({
      type: 'm.room.member',
      stateKey: BEN,
      sender: CREATOR,
      content: { membership: 'ban' },
      prev: [old],
    });
    const own = room.add({
      ...topic,
      sender: BEN,
      content: { topic: "Ben's" },
      prev: [old],
      receivedFrom: 'one.example',
    });
    const meet = message(room, [ban, own]);
    return { room, root, old, ban, own, meet };
  }

  for (const version of ['2', '11', '12'])
    it(`names the meeting, the candidates and the rule that decided, version ${version}`, async () => {
      const { room, old, ban, own, meet } = quarrel(version);
      const later = message(room, [meet]);
      await room.flush();
      const answer = await why(room, later, 'm.room.topic');
      expect(answer.winner).to.deep.include({ event_id: old, sender: CREATOR, received_from: null });
      expect(answer.winner).to.deep.include({ content: { topic: 'old' }, redacted: false });
      expect(answer.winner?.decision).to.deep.equal({ allowed: true, rule: null, reason: null });
      expect(answer.decided_at).to.deep.equal({
        event_id: meet,
        prev_events: [ban, own],
        algorithm: room.version.stateResolution,
        room_version: version,
      });
      expect(answer.set_at).to.equal(null);
      expect(answer.conflicted_places).to.equal(2);
      const [asked, other] = answer.conflicted;
      expect([asked?.type, other?.type]).to.deep.equal(['m.room.topic', 'm.room.member']);
      const isInfinite = room.version.creatorsArePrivileged;
      expect(
        asked?.candidates.map((one) => [
          one.event_id,
          one.sender,
          one.received_from,
          one.stands_after,
          one.sender_level,
        ]),
      ).to.have.deep.members([
        [old, CREATOR, null, [ban], isInfinite ? null : 100],
        [own, BEN, 'one.example', [own], 50],
      ]);
      expect(answer.auth_difference).to.be.a('number');
      const fallen = answer.steps.find((step) => step.event_id === own);
      expect(fallen).to.include({ allowed: false, pass: 'mainline', received_from: 'one.example' });
      expect(fallen?.rule).to.match(/^\d+/);
      expect(fallen?.reason).to.include(BEN);
      expect(answer.steps.slice(0, 2).map((step) => step.event_id)).to.have.members([old, own]);
      expect(answer.resolved_again).to.deep.equal({ event_id: old, is_as_stored: true });
      expect(answer.search).to.deep.equal({ events_walked: 2, is_truncated: false });
    });

  it('names the single writer where nothing was in conflict', async () => {
    const { room, root, own, meet } = quarrel();
    await room.flush();
    const answer = await why(room, meet, 'm.room.power_levels');
    expect(answer.winner?.event_id).to.equal(root);
    expect(answer.set_at).to.deep.equal({ event_id: root, how: 'written' });
    expect(answer).to.deep.include({ decided_at: null, conflicted: [], steps: [], resolved_again: null });
    const before = await why(room, own, 'm.room.topic');
    expect(before).to.deep.include({ set_at: { event_id: own, how: 'written' } });
  });

  it('says so when there never was such an entry', async () => {
    const { room, meet } = quarrel();
    await room.flush();
    const answer = await why(room, meet, 'm.room.name');
    expect(answer).to.deep.include({ winner: null, decided_at: null, set_at: null });
    // All of the room: its create event, four of its beginning and the five of the quarrel.
    expect(answer.search).to.deep.equal({ events_walked: room.events.size, is_truncated: false });
  });

  it('takes an entry that one branch lacks as disputed, but in version 1', async () => {
    for (const version of ['2', '1']) {
      const { room, ban, own } = quarrel(version);
      const name = room.add({ type: 'm.room.name', stateKey: '', sender: CREATOR, prev: [ban] });
      // The branch that lacks it is the longer one: it is looked at first.
      const meet = message(room, [name, message(room, [message(room, [own])])]);
      await room.flush();
      const answer = await why(room, meet, 'm.room.name');
      expect(answer.winner?.event_id).to.equal(name);
      if (version === '2') expect(answer.decided_at?.event_id).to.equal(meet);
      else expect(answer.set_at).to.deep.equal({ event_id: name, how: 'written' });
    }
  });

  it('explains the version 1 algorithm too', async () => {
    const { room, meet, old, own } = quarrel('1');
    await room.flush();
    const answer = await why(room, meet, 'm.room.topic');
    expect(answer.decided_at?.algorithm).to.equal('v1');
    expect(answer.conflicted[0]?.candidates.map((one) => one.event_id)).to.have.members([old, own]);
    expect(answer.resolved_again?.is_as_stored).to.equal(true);
    expect(answer.winner?.event_id).to.equal(room.stateAfter(meet).get(stateName('m.room.topic', '')));
  });

  it('finds the nearest meeting, not an older one', async () => {
    const { room, meet } = quarrel();
    const left = room.add({ type: 'm.room.topic', stateKey: '', sender: CREATOR, prev: [meet] });
    const right = room.add({ type: 'm.room.topic', stateKey: '', sender: CREATOR, prev: [meet], ts: 5 });
    const second = message(room, [left, right]);
    const third = message(room, [second]);
    await room.flush();
    expect((await why(room, third, 'm.room.topic')).decided_at?.event_id).to.equal(second);
    expect((await why(room, third, 'm.room.member', BEN)).decided_at?.event_id).to.equal(meet);
  });

  it('finds the nearest of several meetings by their depth', async () => {
    const { room, ban, own, meet } = quarrel();
    let far = ban;
    for (let index = 0; index < 3; index += 1) far = message(room, [far]);
    const deeper = message(room, [far, own]);
    const ends = [message(room, [meet, deeper]), message(room, [deeper, meet])];
    await room.flush();
    for (const end of ends)
      expect((await why(room, end, 'm.room.topic')).decided_at?.event_id).to.equal(deeper);
  });

  it('explains the current state of several forward extremities', async () => {
    const { room, ban, own, old } = quarrel();
    room.leaveOpen([ban, own]);
    await room.flush();
    const answer = await why(room, 'current', 'm.room.topic');
    expect(answer.winner?.event_id).to.equal(old);
    expect(answer.decided_at).to.deep.include({ event_id: null, prev_events: [ban, own] });
    expect(answer.resolved_again?.is_as_stored).to.equal(true);
    room.leaveOpen([own]);
    await room.flush();
    expect((await why(room, 'current', 'm.room.topic')).set_at?.event_id).to.equal(own);
  });

  it('says when the state came from another server', async () => {
    const { room, own, old } = quarrel();
    const lost = message(room);
    const state = new Map(room.stateAfter(own));
    const joined = room.add({
      type: 'm.room.member',
      stateKey: ANN,
      sender: ANN,
      content: { membership: 'join' },
      prev: [lost],
      stateBefore: state,
    });
    const later = message(room, [joined]);
    room.forget(lost);
    await room.flush();
    expect((await why(room, later, 'm.room.topic')).set_at).to.deep.equal({ event_id: joined, how: 'given' });
    expect((await why(room, later, 'm.room.member', ANN)).set_at).to.deep.equal({
      event_id: joined,
      how: 'written',
    });
    expect(old).to.not.equal(own);
  });

  it('says when what is stored is not what the resolution gives', async () => {
    const { room, ban, own } = quarrel();
    const wrong = new Map(room.stateAfter(own));
    const meet = room.add({ type: 'm.room.message', sender: CREATOR, prev: [ban, own], stateBefore: wrong });
    await room.flush();
    const answer = await why(room, meet, 'm.room.topic');
    expect(answer.winner?.event_id).to.equal(own);
    expect(answer.resolved_again?.is_as_stored).to.equal(false);
  });

  it('tells what a redaction left, and judges the event by it', async () => {
    const { room, own, old, meet } = quarrel();
    const redaction = message(room, [meet]);
    room.redact(old, redaction);
    await room.flush();
    const answer = await why(room, meet, 'm.room.topic');
    expect(answer.winner).to.deep.include({ event_id: old, redacted: true, content: {} });
    expect((await why(room, own, 'm.room.topic')).winner).to.deep.include({ redacted: false });
  });

  it('lists who was rejected or soft-failed at the place, newest first', async () => {
    const { room, meet } = quarrel();
    const another = startForkedRoom(database, '11');
    furnish(another);
    const topic = { type: 'm.room.topic', stateKey: '', sender: BEN, receivedFrom: 'one.example' };
    another.add({ ...topic, sender: CREATOR, rejection: 'rejected: of another room' });
    const first = room.add({ ...topic, prev: [meet], rejection: 'rejected: 5: not in the room' });
    const second = room.add({ ...topic, prev: [meet], rejection: 'soft-failed: banned' });
    room.add({ ...topic, stateKey: 'x', prev: [meet], rejection: 'rejected: another place' });
    await another.flush();
    await room.flush();
    const { refused } = await why(room, meet, 'm.room.topic');
    expect(refused.map((one) => [one.event_id, one.sender, one.received_from, one.rejection])).to.deep.equal([
      [second, BEN, 'one.example', 'soft-failed: banned'],
      [first, BEN, 'one.example', 'rejected: 5: not in the room'],
    ]);
  });

  it('gives the search up at its bound and says so', async () => {
    const { room, root } = quarrel();
    let last = root;
    for (let index = 0; index < 20; index += 1) last = message(room, [last]);
    await room.flush();
    const answer = await why(room, last, 'm.room.power_levels', '', { walkMax: 10 });
    expect(answer.winner?.event_id).to.equal(root);
    expect(answer).to.deep.include({ decided_at: null, set_at: null });
    expect(answer.search).to.deep.equal({ events_walked: 10, is_truncated: true });
  });

  it('tells no more steps and places than its bounds, and how many it left out', async () => {
    const { room, ends } = await makeWideRoom(database, '11', STEPS_MAX);
    const meet = message(room, ends);
    await room.flush();
    const answer = await why(room, meet, 'test.entry', 'key 150');
    expect(answer.steps).to.have.lengthOf(STEPS_MAX);
    expect(answer.steps_left_out).to.be.at.least(STEPS_MAX);
    expect(answer.steps.slice(0, 2).map((step) => step.state_key)).to.deep.equal(['key 150', 'key 150']);
    expect(answer.conflicted_places).to.equal(STEPS_MAX);
    expect(answer.conflicted).to.have.lengthOf(20);
    expect(answer.conflicted[0]?.state_key).to.equal('key 150');
  });

  it('refuses what is not known, and what has no state', async () => {
    const { room, meet } = quarrel();
    const other = quarrel();
    const outlier = room.add({ type: 'm.room.message', sender: CREATOR, isOutlier: true });
    await room.flush();
    await other.room.flush();
    const refusal = async (roomId: string, at: string): Promise<string> => {
      const answer = await explainState(database.db, { roomId, at, type: 'm.room.topic', stateKey: '' });
      return isRefusal(answer) ? `${answer.status} ${answer.errcode} ${answer.error}` : 'answered';
    };
    expect(await refusal('!unknown:example.com', meet)).to.match(/^404 M_NOT_FOUND .*!unknown/);
    expect(await refusal(room.roomId, '$unknown')).to.match(/^404 M_NOT_FOUND .*\$unknown/);
    expect(await refusal(room.roomId, other.meet)).to.match(/^404 M_NOT_FOUND .*no event/);
    expect(await refusal(room.roomId, outlier)).to.match(/^404 M_NOT_FOUND .*is not known/);
    expect(await refusal(room.roomId, 'current')).to.match(/^404 M_NOT_FOUND .*no current state/);
  });

  for (const version of ['1', '6', '12'])
    it(`agrees with what is stored, random rooms of version ${version}, seed ${SEED}`, async function () {
      this.timeout(20_000);
      let decided = 0;
      for (let index = 0; index < 4; index += 1) {
        const seed = SEED + index;
        const random = seededRandom(seed);
        const { room, eventIds } = growRandomRoom(database, random, version, 50);
        await room.flush();
        for (let round = 0; round < 15; round += 1) {
          const at = eventIds[random.integer(eventIds.length)] ?? '';
          const state = room.stateAfter(at);
          const name = [...state.keys()][random.integer(state.size)] ?? '';
          const { type, stateKey } = stateKeyOf(name);
          const answer = await why(room, at, type, stateKey);
          expect(answer.winner?.event_id, `seed ${seed}`).to.equal(state.get(name));
          expect(answer.resolved_again?.is_as_stored ?? true, `seed ${seed}`).to.equal(true);
          expect((answer.decided_at === null) !== (answer.set_at === null), `seed ${seed}`).to.equal(true);
          if (answer.decided_at === null) continue;
          decided += 1;
          expect(answer.conflicted[0], `seed ${seed}`).to.include({ type, state_key: stateKey });
          expect(answer.conflicted[0]?.candidates.length, `seed ${seed}`).to.be.at.least(1);
        }
      }
      expect(decided).to.be.greaterThan(5);
    });
});
