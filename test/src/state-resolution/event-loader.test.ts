import { expect } from 'chai';
import { edgeIds } from '../../../src/matrix/events/pdu.ts';
import { createEventLoader } from '../../../src/state-resolution/event-loader.ts';
import type { TestDatabase } from '../../support/database.ts';
import { countReads } from '../../actors/rooms/count-reads.ts';
import { CREATOR, createForkDatabase, type ForkedRoom, startForkedRoom } from './forked-room.ts';
import { furnish } from './random-room.ts';

const ANN = '@ann:example.com';

describe('the loader of events for resolutions', () => {
  let database: TestDatabase;
  let room: ForkedRoom;
  beforeEach(async () => {
    database = await createForkDatabase();
  });
  afterEach(() => database.close());

  const ann = (displayname: string, rejection?: string) =>
    room.add({
      type: 'm.room.member',
      stateKey: ANN,
      sender: ANN,
      content: { membership: 'join', displayname },
      ...(rejection !== undefined && { rejection }),
    });
  function start(version: string): void {
    room = startForkedRoom(database, version);
    furnish(room, [ANN]);
  }

  /** The ids of an event's whole auth chain, from what the test remembers. */
  function chainOf(eventId: string): readonly string[] {
    const chain = new Set<string>();
    const add = (id: string): void => {
      for (const authId of edgeIds(room.events.get(id)?.pdu.auth_events ?? [])) {
        if (!chain.has(authId)) add(authId);
        chain.add(authId);
      }
    };
    add(eventId);
    return [...chain];
  }

  for (const version of ['1', '2', '11', '12'])
    it(`loads chains whole, and edges without events, version ${version}`, async () => {
      start(version);
      let last = '';
      for (let index = 0; index < 10; index += 1) last = ann(`Ann ${index}`);
      await room.flush();
      const chain = chainOf(last);
      expect(chain.length).to.be.greaterThan(10);
      const whole = createEventLoader(database.db, { version: room.version, unstored: [] });
      expect(await whole.loadChains([last])).to.equal(true);
      expect([...whole.events()].map(({ eventId }) => eventId)).to.have.members([last, ...chain]);
      const light = createEventLoader(database.db, { version: room.version, unstored: [] });
      expect(await light.loadEdges([last])).to.equal(true);
      for (const eventId of [last, ...chain]) {
        const expected = edgeIds(room.events.get(eventId)?.pdu.auth_events ?? []);
        expect(light.source.authEventIds(eventId)).to.deep.equal(expected);
        expect(whole.source.authEventIds(eventId)).to.deep.equal(expected);
      }
      expect([...light.events()]).to.deep.equal([]);
      expect(() => light.source.event(last)).to.throw('was not loaded');
    });

  it('reads a level of the chain at a time, and nothing twice', async () => {
    start('11');
    const width = 50;
    const members = Array.from({ length: width }, (_, index) => {
      const userId = `@user${index}:example.com`;
      return room.add({
        type: 'm.room.member',
        stateKey: userId,
        sender: userId,
        content: { membership: 'join' },
      });
    });
    await room.flush();
    const counted = countReads(database.db);
    const loader = createEventLoader(counted.db, { version: room.version, unstored: [] });
    await loader.loadChains(members);
    // The members; join rules, power levels and create; the creator's join.
    expect(counted.reads()).to.be.within(2, 4);
    const before = counted.reads();
    await loader.loadChains(members);
    await loader.loadEdges(members);
    await loader.loadEvents(members);
    expect(counted.reads()).to.equal(before);
  });

  it('loads the chain as events of what was first loaded as edges, stored or not', async () => {
    start('11');
    const stored = ann('stored');
    const unstored = room.add({
      type: 'm.room.member',
      stateKey: ANN,
      sender: ANN,
      content: { membership: 'join' },
      isUnstored: true,
    });
    await room.flush();
    const loader = createEventLoader(database.db, {
      version: room.version,
      unstored: [{ eventId: unstored, pdu: room.pduText(unstored) }],
    });
    await loader.loadEdges([unstored]);
    await loader.loadChains([unstored]);
    expect(loader.source.event(unstored).pdu.sender).to.equal(ANN);
    for (const eventId of chainOf(unstored)) expect(loader.source.event(eventId).eventId).to.equal(eventId);
    expect(loader.source.authEventIds(unstored)).to.include(stored);
  });

  it('takes a redacted event as redacted, a rejected one as rejected, a soft-failed one as good', async () => {
    start('11');
    const redacted = ann('redacted');
    const rejected = ann('rejected', 'rejected: 4.3: no reason');
    const softFailed = ann('soft-failed', 'soft-failed: not now');
    room.redact(redacted, softFailed);
    await room.flush();
    const loader = createEventLoader(database.db, { version: room.version, unstored: [] });
    await loader.loadEvents([redacted, rejected, softFailed]);
    const seen = [redacted, rejected, softFailed].map((eventId) => {
      const { isRejected, isRedacted, pdu } = loader.source.event(eventId);
      return { isRejected, isRedacted, content: pdu.content };
    });
    const membership = 'join';
    expect(seen).to.deep.equal([
      { isRejected: false, isRedacted: true, content: { membership } },
      { isRejected: true, isRedacted: false, content: { membership, displayname: 'rejected' } },
      { isRejected: false, isRedacted: false, content: { membership, displayname: 'soft-failed' } },
    ]);
  });

  it('leaves out auth events that are not known', async () => {
    start('11');
    const last = ann('last');
    const [first = '', ...others] = edgeIds(room.events.get(last)?.pdu.auth_events ?? []);
    room.forget(first);
    await room.flush();
    const loader = createEventLoader(database.db, { version: room.version, unstored: [] });
    expect(await loader.loadChains([last])).to.equal(true);
    expect(loader.source.authEventIds(last)).to.deep.equal(others);
    expect(loader.find(first)).to.equal(undefined);
  });

  it('gives other work a turn between its reads', async () => {
    start('11');
    const members: string[] = [];
    for (let index = 0; index < 450; index += 1)
      members.push(room.add({ type: 'test.entry', stateKey: `${index}`, sender: CREATOR }));
    await room.flush();
    const loader = createEventLoader(database.db, { version: room.version, unstored: [] });
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await loader.loadEvents(members);
    isOver = true;
    expect(turns).to.be.at.least(2);
  });
});
