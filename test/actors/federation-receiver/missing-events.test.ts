import { expect } from 'chai';
import type { JsonObject } from '../../../src/kit/json.ts';
import { stateName } from '../../../src/matrix/state-resolution/state-map.ts';
import { DAVE, ERIN, member, message, topic } from '../rooms/receive-world.ts';
import type { ForeignEvent } from '../rooms/foreign-events.ts';
import { openReceiverWorld, OTHER, type ReceiverWorld, THIRD } from './receiver-world.ts';

describe('events that a transaction does not bring', () => {
  let world: ReceiverWorld;
  afterEach(() => world.close());

  const open = async (version?: string): Promise<void> => {
    world = await openReceiverWorld(version);
  };
  const add = (count: number): readonly ForeignEvent[] =>
    Array.from({ length: count }, (_, index) => world.foreign.add(message(DAVE, `${index}`)));
  const taken = async (event: ForeignEvent, other = {}): Promise<string | null | undefined> =>
    world.outcomes(await world.transact([event], other))[event.eventId];

  for (const version of ['1', '11', '12'])
    it(`are asked of who sent what follows them (room version ${version})`, async () => {
      await open(version);
      const events = add(5);
      const last = events.at(-1) as ForeignEvent;
      expect(await taken(last)).to.equal(null);
      expect(world.peers.asked).to.deep.equal([`${OTHER} get_missing_events`]);
      for (const event of events) expect((await world.find(event))?.streamOrdering).to.be.a('number');
      expect(await world.extremities()).to.deep.equal([last.eventId]);
    });

  it('are asked of a server that has just called, whatever is believed of it, until it does not answer', async () => {
    await open();
    const probes: string[] = [];
    world.peers.delay = ({ path, isProbe = false }) => {
      probes.push(`${path.split('/')[4]} ${isProbe}`);
      return Promise.resolve();
    };
    expect(await taken(add(2).at(-1) as ForeignEvent)).to.equal(null);
    expect(probes).to.deep.equal(['get_missing_events true']);
    world.peers.silent.add('get_missing_events');
    await taken(add(2).at(-1) as ForeignEvent);
    expect(probes.slice(1)).to.deep.equal(['get_missing_events true', 'state_ids false']);
  });

  it('are asked for in several pieces when they are many', async () => {
    await open();
    const last = add(120).at(-1) as ForeignEvent;
    expect(await taken(last)).to.equal(null);
    expect(world.peers.asked).to.deep.equal([1, 2, 3].map(() => `${OTHER} get_missing_events`));
    expect(await world.extremities()).to.deep.equal([last.eventId]);
  });

  it('are done without where nobody gives them: the state before what follows them is asked for', async () => {
    await open();
    const renamed = world.foreign.add(topic(DAVE, 'behind the gap'));
    const [hidden, last] = add(2) as [ForeignEvent, ForeignEvent];
    world.peers.withheld.add(hidden.eventId);
    expect(await taken(last)).to.equal(null);
    expect(world.peers.asked).to.deep.equal([
      `${OTHER} get_missing_events`,
      `${OTHER} state_ids`,
      `${OTHER} event`,
    ]);
    expect(await world.standing('m.room.topic')).to.equal(renamed.eventId);
    // The gap stays known, and what comes after it needs nothing more.
    const [next] = add(1) as [ForeignEvent];
    expect(await taken(next)).to.equal(null);
    expect(world.peers.asked).to.have.length(3);
  });

  it('are asked for with their whole state when much of it is not known', async () => {
    await open();
    const members = Array.from({ length: 25 }, (_, index) => `@m${index}:other.example`);
    const joins = members.map((user) => world.foreign.add(member(user, user, 'join')));
    const [hidden, last] = add(2) as [ForeignEvent, ForeignEvent];
    world.peers.withheld.add(hidden.eventId);
    expect(await taken(last)).to.equal(null);
    expect(world.peers.asked).to.deep.equal([
      `${OTHER} get_missing_events`,
      `${OTHER} state_ids`,
      `${OTHER} state`,
    ]);
    expect(await world.standing('m.room.member', members[24])).to.equal(joins[24]?.eventId);
  });

  it('let what follows them wait when neither they nor a state can be had', async () => {
    await open();
    const [hidden, last] = add(2) as [ForeignEvent, ForeignEvent];
    world.peers.withheld.add(hidden.eventId);
    world.peers.silent.add('state_ids');
    expect(await taken(last)).to.equal(null);
    expect(await world.find(last)).to.equal(undefined);
    // When it comes again it is asked for again, and from whoever brings it.
    world.peers.silent.clear();
    expect(await taken(last, { origin: THIRD })).to.equal(null);
    expect(world.peers.asked.at(-1)).to.equal(`${THIRD} state_ids`);
    expect((await world.find(last))?.streamOrdering).to.be.a('number');
  });

  it('are not believed when their signatures are wrong', async () => {
    await open();
    const [hidden, last] = add(2) as [ForeignEvent, ForeignEvent];
    const forged = { ...(hidden.pdu as unknown as JsonObject), depth: 77 };
    world.peers.forged.set(hidden.eventId, forged);
    expect(await taken(last)).to.equal(null);
    expect(await world.find(hidden)).to.equal(undefined);
    expect(world.peers.asked).to.include(`${OTHER} state_ids`);
  });

  it('are fetched where they authorise an event', async () => {
    await open();
    const join = world.foreign.add(member(ERIN, ERIN, 'join'));
    // Dave says nothing of what came before, but the event names the join as what authorises it.
    const places = ['m.room.create', 'm.room.power_levels'].map((type) => stateName(type, ''));
    const auth = places.map((place) => join.stateAfter.get(place) ?? '');
    const proposal = { ...message(ERIN, 'hello'), prev: [world.dave.eventId] };
    const said = world.foreign.add({ ...proposal, auth: [...auth, join.eventId] });
    expect(await taken(said)).to.match(/not.*in the room|sender/i);
    expect(world.peers.asked).to.deep.equal([`${OTHER} event_auth`]);
    expect(await world.find(join)).to.include({ streamOrdering: null, rejection: null });
  });

  it('are stored outside of the timeline when one that follows the newest is asked for by name', async () => {
    await open();
    const [one] = add(1) as [ForeignEvent];
    const { roomId } = world;
    const question = { roomId, eventId: one.eventId, via: [THIRD] };
    expect(await world.ask('federation-receiver.fetch-event', question)).to.deep.equal({ kind: 'fetched' });
    expect(world.peers.asked).to.deep.equal([`${THIRD} event`, `${THIRD} event_auth`, `${THIRD} state_ids`]);
    expect(await world.find(one)).to.include({ streamOrdering: null, rejection: null });
    const nobody = { ...question, eventId: '$nobody-has-it' };
    expect(await world.ask('federation-receiver.fetch-event', nobody)).to.include({ errcode: 'M_NOT_FOUND' });
  });

  it('come with a single event, too', async () => {
    await open();
    const [, last] = add(2) as [ForeignEvent, ForeignEvent];
    const { roomId } = world;
    const pdu = last.pdu as unknown as JsonObject;
    const given = { origin: OTHER, roomId, pdu, isRelayed: false };
    const received = await world.ask('federation-receiver.receive-event', given);
    expect(received).to.include({ kind: 'accepted', eventId: last.eventId });
    const again = await world.ask('federation-receiver.receive-event', given);
    expect(again).to.include({ kind: 'known' });
    const forged = { ...given, pdu: { ...pdu, depth: 5 } };
    expect(await world.ask('federation-receiver.receive-event', forged)).to.include({
      errcode: 'M_FORBIDDEN',
    });
    const elsewhere = { ...given, roomId: '!no:other.example' };
    expect(await world.ask('federation-receiver.receive-event', elsewhere)).to.include({
      errcode: 'M_NOT_FOUND',
    });
  });
});
