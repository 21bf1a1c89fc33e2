import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import { emptySyncFilter } from '../../../src/matrix/sync-filter-parse.ts';
import { formatToken, parseToken, type SyncToken } from '../../../src/streams/token.ts';
import {
  answerSync,
  PRESENCE_NOTE_INTERVAL_MS,
  SYNC_TIMEOUT_MS_MAX,
  type SyncPoll,
} from '../../../src/sync/answer-sync.ts';
import type { SyncServices } from '../../../src/sync/sync-services.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from './sync-world.ts';

const TIMEOUT_MS = 30_000;

function tokenOf(text: string): SyncToken {
  const token = parseToken(text);
  if ('kind' in token) throw new Error(token.error);
  return token;
}

describe('answerSync', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let room: string;
  let since: SyncToken;

  beforeEach(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
    room = await alice.room();
    await bob.act('join', room);
    // The first sync makes the user present, which is news for the next.
    await alice.sync();
    await world.host.idle();
    since = tokenOf((await alice.sync()).next_batch);
  });
  afterEach(() => world.stop());

  function poll(change: Partial<SyncPoll> = {}): SyncPoll {
    return {
      caller: { userId: alice.userId, deviceId: alice.deviceId },
      since,
      filter: emptySyncFilter(),
      fullState: false,
      stateForm: 'state',
      timeoutMs: TIMEOUT_MS,
      presence: 'online',
      aborted: new AbortController().signal,
      ...change,
    };
  }

  /** Starts a poll and waits until it is parked. */
  async function park(change: Partial<SyncPoll> = {}): Promise<{ readonly answer: Promise<Answer> }> {
    const parked = world.parked();
    const answer = answerSync(world.services, poll(change)).then(({ text }) => JSON.parse(text));
    await parked;
    return { answer };
  }

  it('answers at once without a timeout, and in a first sync', async () => {
    const quiet = await answerSync(world.services, poll({ timeoutMs: 0 }));
    expect(quiet.isEmpty).to.equal(true);
    const first = await answerSync(world.services, poll({ since: null }));
    expect(first.isEmpty).to.equal(false);
    const full = await answerSync(world.services, poll({ fullState: true }));
    expect(full.isEmpty).to.equal(false);
  });

  it('waits for something to tell, and answers as soon as there is', async () => {
    const { answer } = await park();
    await bob.say(room, 'hello');
    const events = (await answer).rooms.join[room].timeline.events;
    expect(events.map((event: Answer) => event.content.body)).to.deep.equal(['hello']);
  });

  it('is woken by an invite, which is in no room that it knew', async () => {
    const { answer } = await park();
    const other = await bob.room({ invite: [alice.userId] });
    expect((await answer).rooms.invite).to.have.keys(other);
  });

  it('answers empty when its time is up, with a token that does not go back', async () => {
    const { answer } = await park();
    await world.clock.advance(TIMEOUT_MS);
    const empty = await answer;
    expect(empty).to.not.have.property('rooms');
    expect(tokenOf(empty.next_batch).positions['events']).to.deep.equal(since.positions['events']);
  });

  it('waits at most so long, whatever is asked for', async () => {
    const { answer } = await park({ timeoutMs: 10 * SYNC_TIMEOUT_MS_MAX });
    await world.clock.advance(SYNC_TIMEOUT_MS_MAX);
    expect(await answer).to.not.have.property('rooms');
  });

  it('goes back to waiting when it is woken for what the filter leaves out', async () => {
    const filter = { ...emptySyncFilter(), room: { ...emptySyncFilter().room, notRooms: new Set([room]) } };
    const { answer } = await park({ filter });
    await bob.say(room, 'not for you');
    await world.clock.advance(TIMEOUT_MS);
    const empty = await answer;
    expect(empty).to.not.have.property('rooms');
    expect(tokenOf(empty.next_batch).positions['events']?.position).to.equal(
      world.streams.currentToken('events'),
    );
  });

  it('ends and leaves nothing behind when the client goes away', async () => {
    const before = world.clock.pendingTimers;
    const aborted = new AbortController();
    const { answer } = await park({ aborted: aborted.signal });
    aborted.abort();
    await answer;
    expect(world.clock.pendingTimers).to.equal(before);
    expect(getEventListeners(aborted.signal, 'abort')).to.deep.equal([]);
  });

  it('passes on what a device says of presence at once, and again only after a while', async () => {
    const told: unknown[] = [];
    const { presence } = world.services;
    const noting: SyncServices['presence'] = {
      ...presence,
      tell(message, input) {
        told.push('presence' in input ? input.presence : null);
        return presence.tell(message, input);
      },
    };
    const services = { ...world.services, presence: noting };
    const said = async (state: SyncPoll['presence']): Promise<void> => {
      await answerSync(services, poll({ timeoutMs: 0, presence: state }));
    };
    await said('unavailable');
    await said('unavailable');
    await said('online');
    await said('online');
    expect(told).to.deep.equal(['unavailable', 'online']);
    await world.clock.advance(PRESENCE_NOTE_INTERVAL_MS);
    await said('online');
    expect(told).to.deep.equal(['unavailable', 'online', 'online']);
  });

  it('4.8 takes a token from the future for the present, and waits', async () => {
    const future = { positions: { ...since.positions, events: { epoch: 0, position: 1_000_000 } } };
    const { answer } = await park({ since: future });
    await world.clock.advance(TIMEOUT_MS);
    const empty = await answer;
    expect(tokenOf(empty.next_batch).positions['events']?.position).to.equal(
      world.streams.currentToken('events'),
    );
    const next = await park({ since: tokenOf(empty.next_batch) });
    await bob.say(room, 'hello');
    expect((await next.answer).rooms.join).to.have.keys(room);
  });

  it('2.4 blocks fifty times in a row with positions of another life of the owners of typing and presence', async () => {
    const old = { epoch: 1, position: 7 };
    let token: SyncToken = { positions: { ...since.positions, typing: old, presence: old } };
    // Presence itself is news to a client of another life: it is told once.
    const told = await answerSync(world.services, poll({ since: token }));
    token = tokenOf(JSON.parse(told.text).next_batch);
    token = { positions: { ...token.positions, typing: old } };
    for (let round = 0; round < 50; round += 1) {
      const { answer } = await park({ since: token, timeoutMs: 1_000 });
      await world.clock.advance(1_000);
      token = tokenOf((await answer).next_batch);
    }
    expect(formatToken(token)).to.equal(formatToken(world.streams.now()));
  });

  it('does not deliver twice, nor lose, what the database has before this thread has heard of it', async () => {
    const heard = world.streams.now();
    await bob.say(room, 'early');
    const carol = await world.person('carol');
    const other = await carol.room({ invite: [alice.userId] });
    await alice.act('join', other);
    const behind = { ...world.services, streams: { ...world.streams, now: () => heard } };
    const before = await answerSync(behind, poll({ timeoutMs: 0 }));
    expect(before.isEmpty).to.equal(true);
    const body = JSON.parse(before.text);
    const after = await answerSync(world.services, poll({ since: tokenOf(body.next_batch), timeoutMs: 0 }));
    const { join } = JSON.parse(after.text).rooms;
    expect(join).to.have.keys(room, other);
    expect(join[room].timeline.events).to.have.length(1);
  });

  it('6.3 has an accepted invite among the joined rooms of the answer that it wakes, every time', async () => {
    let token = since;
    for (let round = 0; round < 25; round += 1) {
      const other = await bob.room({ invite: [alice.userId] });
      token = tokenOf(JSON.parse((await answerSync(world.services, poll({ since: token }))).text).next_batch);
      const { answer } = await park({ since: token });
      await alice.act('join', other);
      const body = await answer;
      expect(body.rooms.join, `round ${round}`).to.have.keys(other);
      const left = await park({ since: tokenOf(body.next_batch) });
      await alice.act('leave', other);
      const gone = await left.answer;
      expect(gone.rooms.leave, `round ${round}`).to.have.keys(other);
      token = tokenOf(gone.next_batch);
    }
  });
});
