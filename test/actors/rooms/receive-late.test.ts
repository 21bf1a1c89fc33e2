import { expect } from 'chai';
import { RECONSIDERED_PER_TURN_MAX } from '../../../actors/rooms/reconsider-waiting.ts';
import { readSettled } from '../../../db/rooms/inbound-reader.ts';
import type { ForeignEvent } from './foreign-events.ts';
import { DAVE, ERIN, member, message, openReceiveWorld, type ReceiveWorld, topic } from './receive-world.ts';
import { ALICE, BOB, sendMessage, sent } from './rooms-house.ts';

type Proposal = Parameters<ReceiveWorld['foreign']['add']>[0];

describe('events of other servers that come late', () => {
  let world: ReceiveWorld;
  const open = async (...options: Parameters<typeof openReceiveWorld>): Promise<void> => {
    world = await openReceiveWorld(...options);
  };
  const add = (proposal: Proposal, ...prev: readonly ForeignEvent[]) =>
    world.foreign.add({ ...proposal, ...(prev.length > 0 && { prev: prev.map(({ eventId }) => eventId) }) });
  const redaction = (sender: string, redacts: string): Proposal => ({
    sender,
    type: 'm.room.redaction',
    redacts,
  });
  const rowOf = async (event: ForeignEvent) => {
    await world.house.idle();
    return world.house.rows.findLast(({ row }) => row.kind === 'event' && row.eventId === event.eventId)?.row;
  };
  afterEach(() => world.close());

  for (const version of ['3', '10', '11'])
    it(`applies a redaction whose target is known, in room version ${version}`, async () => {
      await open(version);
      const target = add(topic(DAVE, 'bad'));
      const own = add(redaction(DAVE, target.eventId));
      expect(await world.giveAll(target, own)).to.deep.equal(['accepted', 'accepted']);
      expect((await world.find(target))?.redactedBy?.eventId).to.equal(own.eventId);
      expect(await rowOf(own)).to.include({ redacts: target.eventId });
      const again = add(redaction(DAVE, target.eventId));
      expect(await world.giveAll(again)).to.deep.equal(['accepted']);
      expect((await world.find(target))?.redactedBy?.eventId).to.equal(own.eventId);
      expect(await rowOf(again)).to.include({ redacts: null });
    });

  for (const version of ['3', '11'])
    it(`holds a redaction until its target comes, which is redacted from the start, in room version ${version}`, async () => {
      await open(version);
      const target = add(message(DAVE, 'bad'), world.dave);
      const early = add(redaction(DAVE, target.eventId), world.dave);
      expect((await world.give(early)).kind).to.equal('held');
      expect((await world.find(early))?.streamOrdering).to.equal(null);
      expect(await rowOf(early)).to.equal(undefined);
      await world.house.restart();
      expect((await world.give(target)).kind).to.equal('accepted');
      expect((await world.find(target))?.redactedBy?.eventId).to.equal(early.eventId);
      const shown = await world.find(early);
      expect(shown?.rejection).to.equal(null);
      expect(shown?.streamOrdering).to.equal(((await world.find(target))?.streamOrdering ?? 0) + 1);
      expect(await rowOf(early)).to.include({ redacts: target.eventId, isLate: true });
    });

  for (const isOutlier of [false, true])
    it(`shows a held redaction after what came meanwhile: the state as of then is the current one, ${isOutlier ? 'the target outside of the timeline' : 'the target within'}`, async () => {
      await open('11');
      const news = add(topic(DAVE, 'news'), world.dave);
      const target = add(message(DAVE, 'bad'), news);
      const early = add(redaction(DAVE, target.eventId), world.dave);
      expect(await world.giveAll(news, early)).to.deep.equal(['accepted', 'held']);
      if (isOutlier) await world.giveOutliers(target);
      else await world.give(target);
      expect((await world.find(early))?.rejection).to.equal(null);
      expect(await world.standing('m.room.topic')).to.equal(news.eventId);
      // That the state as of now has the news is checked when the world is closed.
    });

  it('shows a redaction at once in room versions 1 and 2, and applies it when its target comes', async () => {
    await open('2');
    const target = add(message(DAVE, 'bad'), world.dave);
    const early = add(redaction(DAVE, target.eventId), world.dave);
    expect(await world.giveAll(early, target)).to.deep.equal(['accepted', 'accepted']);
    expect((await world.find(target))?.redactedBy?.eventId).to.equal(early.eventId);
    const other = add(message(ALICE, 'good'), world.dave);
    const forbidden = add({ ...redaction(ERIN, other.eventId) }, add(member(ERIN, ERIN, 'join'), world.dave));
    expect(forbidden.isRejected).to.equal(true);
  });

  it('redacts an event that comes after its redaction and follows it: room versions 1 and 2 choose their ids', async () => {
    await open('1');
    const early = add(redaction(DAVE, '$foreign3:other.example'), world.dave);
    const target = add(message(DAVE, 'bad'), early);
    expect(target.eventId).to.equal('$foreign3:other.example');
    expect(await world.giveAll(early, target)).to.deep.equal(['accepted', 'accepted']);
    expect((await world.find(target))?.redactedBy?.eventId).to.equal(early.eventId);
  });

  it('holds for ever a redaction that may not redact its target, whichever came first', async () => {
    await open('11', { powerLevels: { users: { [ALICE]: 100 }, events_default: 0 } });
    const target = sent(await sendMessage(world.house, world.roomId, BOB, 'mine'));
    const known = add({ ...redaction(DAVE, target.eventId), prev: [world.dave.eventId] });
    expect((await world.give(known)).kind).to.equal('held');
    const unseen = add(message(ALICE, 'not his'), world.dave);
    const early = add(redaction(DAVE, unseen.eventId), world.dave);
    expect(await world.giveAll(early, unseen)).to.deep.equal(['held', 'accepted']);
    for (const event of [known, early]) {
      expect((await world.find(event))?.rejection).to.match(/^held: /);
      expect(await rowOf(event)).to.equal(undefined);
    }
    expect((await world.find(unseen))?.redactedBy).to.equal(null);
    expect((await world.find(target))?.redactedBy).to.equal(null);
  });

  it('lets who has the redact level redact others, at the state of the redaction', async () => {
    await open();
    const target = add(message(ALICE, 'bad'), world.dave);
    const allowed = add(redaction(DAVE, target.eventId), target);
    expect(await world.giveAll(target, allowed)).to.deep.equal(['accepted', 'accepted']);
    const create = [...world.dave.stateAfter.values()][0] ?? '';
    const ofCreate = add(redaction(ALICE, create), allowed);
    expect(await world.giveAll(ofCreate)).to.deep.equal(['held']);
    const ofNothing = add({ sender: ALICE, type: 'm.room.redaction', content: {} }, ofCreate);
    expect(await world.giveAll(ofNothing)).to.deep.equal(['held']);
  });

  it('takes a redacted state event as redacted for what comes next', async () => {
    await open();
    const erin = add(member(ERIN, ERIN, 'join', { displayname: 'Erin' }));
    const own = add(redaction(ERIN, erin.eventId));
    expect(await world.giveAll(erin, own, add(message(ERIN, 'still here')))).to.deep.equal([
      'accepted',
      'accepted',
      'accepted',
    ]);
  });

  it('stores events outside of the timeline in any order, judged by their auth events', async () => {
    await open();
    const erin = add(member(ERIN, ERIN, 'join'), world.dave);
    const named = add(member(ERIN, ERIN, 'join', { displayname: 'E' }), erin);
    const levels = add({ sender: ERIN, type: 'm.room.power_levels', stateKey: '', content: {} }, named);
    const invite = add(member(ERIN, '@frank:other.example', 'invite'), named);
    const outcomes = await world.giveOutliers(invite, levels, named, erin, world.dave);
    expect(outcomes).to.deep.equal(['accepted', 'rejected', 'accepted', 'accepted', 'known']);
    for (const event of [invite, named, erin])
      expect(await world.find(event)).to.include({ streamOrdering: null, stateGroup: null, rejection: null });
    expect(await world.extremities()).to.deep.equal([world.dave.eventId]);
    expect(await world.standing('m.room.member', ERIN)).to.equal(undefined);
    expect(await world.giveOutliers(invite, { ...erin, json: '{}' })).to.deep.equal(['known', 'rejected']);
    // They enter the timeline like any other event.
    expect((await world.give(invite)).kind).to.equal('missing');
    expect(await world.giveAll(erin, named, invite)).to.deep.equal(['accepted', 'accepted', 'accepted']);
    expect(await rowOf(erin)).to.include({ isLate: true });
    expect(await world.standing('m.room.member', ERIN)).to.equal(named.eventId);
  });

  it('looks again at what was rejected for want of auth events, through the whole chain', async () => {
    await open();
    const erin = add(member(ERIN, ERIN, 'join'), world.dave);
    const named = add(member(ERIN, ERIN, 'join', { displayname: 'E' }), erin);
    const again = add(member(ERIN, ERIN, 'join', { displayname: 'EE' }), named);
    const hello = add({ ...message(ERIN, 'hello'), auth: helloAuth(again) }, world.dave);
    expect(await world.giveOutliers(again, named)).to.deep.equal(['missing', 'missing']);
    expect((await world.give(hello)).kind).to.equal('missing');
    expect((await world.give(hello, { isFinal: true })).kind).to.equal('rejected');
    expect((await world.find(hello))?.rejection).to.include('not known');
    expect(await world.giveOutliers(erin)).to.deep.equal(['accepted']);
    for (const event of [named, again]) expect((await world.find(event))?.rejection).to.equal(null);
    expect((await world.find(hello))?.rejection, 'not in the room at that state').to.include(
      'not in the room',
    );
    expect(await readSettled(world.house.database.db, 10)).to.deep.equal([]);
    await world.house.idle();
    const facts = world.house.told.filter(({ message: name }) => name === 'caches.invalidate');
    expect(JSON.stringify(facts)).to.include(again.eventId);
  });

  const helloAuth = (join: ForeignEvent): readonly string[] => {
    const places = ['m.room.create\u0000', 'm.room.power_levels\u0000'];
    return [...places.map((place) => world.dave.stateAfter.get(place) ?? ''), join.eventId];
  };

  it('lets an event into the timeline late, behind what follows it already', async () => {
    await open();
    const erin = add(member(ERIN, ERIN, 'join'), world.dave);
    const beside = add(message(DAVE, 'beside'), world.dave);
    const unknown = add(member(DAVE, DAVE, 'join', { displayname: 'D' }), world.dave);
    const late = add({ ...topic(DAVE, 'late'), auth: helloAuth(unknown) }, beside);
    const after = add(message(ALICE, 'after'), late);
    expect(await world.giveAll(beside)).to.deep.equal(['accepted']);
    expect((await world.give(late, { isFinal: true })).kind).to.equal('rejected');
    expect(await world.giveAll(after)).to.deep.equal(['accepted']);
    expect(await world.extremities()).to.deep.equal([after.eventId]);
    expect(await world.giveOutliers(unknown, erin)).to.deep.equal(['accepted', 'accepted']);
    expect(await world.find(late)).to.include({ rejection: null });
    expect((await world.find(late))?.streamOrdering).to.be.a('number');
    expect(await world.extremities(), 'something newer follows it').to.deep.equal([after.eventId]);
    expect(await rowOf(late)).to.include({ isLate: true });
    expect((await world.give(late)).kind).to.equal('known');
  });

  it('an event that waited keeps the state before it that was given, its prev_events still unknown', async () => {
    await open();
    const gone = add(message(DAVE, 'never to be had'), world.dave);
    const unknown = add(member(DAVE, DAVE, 'join', { displayname: 'D' }), world.dave);
    const late = add({ ...topic(DAVE, 'late'), auth: helloAuth(unknown) }, gone);
    const stateBefore = [...late.stateBefore.values()];
    expect((await world.give(late, { isFinal: true, stateBefore })).kind).to.equal('rejected');
    expect((await world.give(unknown)).kind).to.equal('accepted');
    expect(await world.find(late)).to.include({ rejection: null });
    expect(await world.standing('m.room.topic')).to.equal(late.eventId);
  });

  it('an event that waited becomes an extremity where nothing follows it, and sets its state', async () => {
    await open();
    const unknown = add(member(DAVE, DAVE, 'join', { displayname: 'D' }), world.dave);
    const late = add({ ...topic(DAVE, 'late'), auth: helloAuth(unknown) }, world.dave);
    expect((await world.give(late, { isFinal: true })).kind).to.equal('rejected');
    expect((await world.give(late)).kind, 'still not known').to.equal('missing');
    await world.house.restart();
    expect((await world.give(unknown)).kind).to.equal('accepted');
    expect(await world.extremities()).to.have.members([unknown.eventId, late.eventId]);
    expect(await world.standing('m.room.topic')).to.equal(late.eventId);
  });

  it('looks again at more than one turn takes, and after a crash', async function () {
    this.timeout(20_000);
    await open();
    const unknown = add(member(ERIN, ERIN, 'join'), world.dave);
    const waiting = Array.from({ length: RECONSIDERED_PER_TURN_MAX + 5 }, (_, index) =>
      world.foreign.add({ ...member(ERIN, ERIN, 'join', { index }), prev: [unknown.eventId] }),
    );
    expect(new Set(await world.giveOutliers(...waiting))).to.deep.equal(new Set(['missing']));
    expect(await world.giveOutliers(unknown)).to.deep.equal(['accepted']);
    await world.house.idle();
    for (const event of waiting) expect((await world.find(event))?.rejection).to.equal(null);
    expect(await readSettled(world.house.database.db, 10)).to.deep.equal([]);
  });

  it('goes on looking where a crash has stopped it', async () => {
    await open();
    const unknown = add(member(ERIN, ERIN, 'join'), world.dave);
    const waiting = add(member(ERIN, ERIN, 'join', { displayname: 'E' }), unknown);
    expect(await world.giveOutliers(waiting)).to.deep.equal(['missing']);
    world.house.storage.crashAfterCommit = true;
    await world.giveOutliers(unknown).catch(() => undefined);
    // Its turn comes after what the start has told the actor to do.
    expect((await world.give(world.dave)).kind).to.equal('known');
    await world.house.idle();
    expect((await world.find(waiting))?.rejection).to.equal(null);
  });
});
