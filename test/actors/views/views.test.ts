import { expect } from 'chai';
import { OWNER_SILENCE_MAX_MS, VIEWS_CHECK_INTERVAL_MS } from '../../../actors/views/actor.ts';
import { POSITION_REPAIR_INTERVAL_MS } from '../../../src/streams/publisher.ts';
import { typingStream } from '../../../src/streams/typing-stream.ts';
import { createStreamWorld, type Heard, type StreamWorld, type WorldOptions } from './stream-world.ts';

function spans(heard: readonly Heard[], stream: string): string[] {
  return heard
    .filter((message) => message.stream === stream)
    .map(({ kind, prev, position }) => `${kind} (${prev},${position}]`);
}

describe('views actor', () => {
  let world: StreamWorld;
  const open = async (options: WorldOptions = {}): Promise<StreamWorld> =>
    (world = await createStreamWorld(options));
  afterEach(() => world.stop());

  const types = (count: number): string[] => Array.from({ length: count }, (_, index) => `t${index}`);
  const token = (name = 'a'): number => world.seat(name).views.currentToken('account-data');

  it('3.1 a thread begins where the database is: one POSITION per stream, no rows, nothing fetched', async () => {
    const advance = { stream: 'account-data', count: 10 };
    await open({ before: ({ write }) => write.write({ owner: 'account-data', advance, steps: [] }) });
    expect(spans(world.heard, 'account-data')).to.deep.equal(['position (10,10]']);
    expect(spans(world.heard, 'typing')).to.deep.equal(['position (0,0]']);
    expect(token()).to.equal(10);
    expect(world.seat('a').figures.counter('stream.account-data.catch-ups')).to.equal(0);
  });

  it('3.1 ten rows before: POSITION(10), nothing else, and the view has all ten', async () => {
    await open();
    await world.write(...types(10));
    await world.host.idle();
    world.heard.splice(0);
    await world.host.restart('views@a');
    await world.host.idle();
    expect(spans(world.heard, 'account-data')).to.deep.equal(['position (10,10]']);
    expect(token()).to.equal(10);
    expect(world.seat('a').figures.counter('stream.account-data.catch-ups')).to.equal(0);
  });

  it('3.2 what was written while it was away is fetched by pages, and 2.6 then nothing more', async () => {
    await open();
    await world.write('before');
    await world.host.idle();
    const { views, figures } = world.seat('a');
    views.disconnect('account-data');
    await world.write(...types(250));
    await world.host.idle();
    expect([token(), figures.counter('stream.account-data.drops.before-position')]).to.deep.equal([1, 3]);
    await world.host.restart('views@a');
    await world.host.idle();
    expect(token()).to.equal(251);
    expect(figures.counter('stream.account-data.catch-up-pages')).to.equal(3);
    expect(figures.counter('stream.account-data.catch-up-rows')).to.equal(250);
    await world.host.restart('views@a');
    await world.host.idle();
    expect(figures.counter('stream.account-data.catch-ups')).to.equal(1);
  });

  it('1.6 a write is in the local view before its asker goes on', async () => {
    await open({ seats: ['a', 'b'] });
    const outcome = await world.write('x');
    if (outcome.kind !== 'committed' || outcome.position === null) throw new Error(outcome.kind);
    for (const name of ['a', 'b']) {
      // Both have to see it.
      expect(await world.seat(name).views.reached('account-data', outcome.position)).to.equal(true);
      expect(world.seat(name).facts).to.deep.include({
        fact: 'account-data',
        userId: '@a:x',
        roomId: null,
        type: 'x',
      });
    }
  });

  it('1.5 the owner and every subscriber hand the same facts to the same function', async () => {
    await open({ seats: ['a', 'b'] });
    await world.write('x', 'y');
    await world.host.idle();
    expect(world.seat('a').facts).to.deep.equal(world.seat('b').facts);
    expect(world.seat('a').facts).to.have.length(2);
  });

  it('1.7 a new life of the owner begins at what was ever published, and 3.8 no token falls', async () => {
    await open();
    await world.write(...types(5));
    await world.host.restart('account-data');
    await world.host.idle();
    expect(token()).to.equal(5);
    await world.write('after');
    await world.host.idle();
    expect(token()).to.equal(6);
    const positions = world.heard
      .filter(({ stream }) => stream === 'account-data')
      .map(({ position }) => position);
    expect(positions).to.deep.equal(positions.toSorted((one, other) => one - other));
  });

  it('1.4 what was committed and never published is there after the owner is back', async () => {
    await open();
    await world.write('one');
    // Committed under the owner's name, and the owner was killed before it could say so.
    await world.database.write.write({
      owner: 'account-data',
      advance: { stream: 'account-data', count: 1 },
      steps: [],
    });
    await world.host.restart('account-data');
    await world.host.idle();
    expect(token()).to.equal(2);
    await world.write('two');
    await world.host.idle();
    expect(token()).to.equal(3);
  });

  it('1.4 what the last life of the owner had left with the committer is given to every subscriber', async () => {
    await open({ seats: ['a', 'b'] });
    await world.write('one');
    await world.host.idle();
    // The committer takes it, and commits it when its turn ends; before that the owner ends, and begins again.
    world.write('two', 'three').catch(() => undefined);
    await world.host.restart('account-data');
    await world.write('four');
    await world.host.idle();
    for (const name of ['a', 'b']) {
      expect(token(name)).to.equal(4);
      const told = world.seat(name).facts.map((fact) => 'type' in fact && fact.type);
      expect(told).to.deep.equal(['one', 'two', 'three', 'four']);
    }
  });

  it('3.4 while the owner is down nothing counts as connected; then it goes on', async () => {
    await open();
    await world.write('one');
    await world.host.idle();
    const state = (): string | undefined =>
      world.seat('a').figures.read().texts.get('stream.account-data.state');
    expect(state()).to.equal('live');
    world.host.crashNext('account-data');
    world.host.ref('account-data').tell('stream.unsubscribe', { subscriber: 'nobody' });
    await world.host.idle();
    expect([state(), token()]).to.deep.equal(['unconnected', 1]);
    await world.clock.advance(10);
    await world.host.idle();
    expect(state()).to.equal('live');
  });

  it('2.3 after a restart of an in-memory owner the view equals it, even when it said more than before', async () => {
    await open();
    world.type('!old', '@a:x');
    world.type('!both', '@a:x');
    await world.host.idle();
    const { views } = world.seat('a');
    const before = views.epoch('typing');
    await world.host.restart('typing');
    for (let index = 0; index < 5; index += 1) world.type('!both', `@${index}:x`);
    await world.host.idle();
    expect(views.epoch('typing')).to.be.greaterThan(before);
    expect(views.memoryRows(typingStream, 0).map(({ row }) => row)).to.deep.equal([
      { roomId: '!both', userIds: ['@4:x'] },
    ]);
    expect(views.forgottenRows(typingStream).map(({ roomId }) => roomId)).to.deep.equal(['!old', '!both']);
    expect(views.currentToken('typing')).to.equal(5);
  });

  it('2.5 a subscriber that joins late gets what lives', async () => {
    await open();
    world.type('!a', '@a:x');
    for (let index = 0; index < 300; index += 1) world.type(`!${index % 3}`, '@a:x');
    await world.host.idle();
    const { views, figures } = world.seat('a');
    views.disconnect('typing');
    for (let index = 0; index < 300; index += 1) world.type(`!${index % 3}`, '@b:x');
    await world.host.restart('views@a');
    await world.host.idle();
    expect(figures.counter('stream.typing.catch-up-rows')).to.equal(3);
    expect(views.memoryRows(typingStream, 0)).to.have.length(4);
  });

  it('3.10 nobody is told of a stream that it did not ask for', async () => {
    await open({ streams: [typingStream] });
    await world.write('x');
    world.type('!a', '@a:x');
    await world.host.idle();
    expect(new Set(world.heard.map(({ stream }) => stream))).to.deep.equal(new Set(['typing']));
  });

  it('a message that was lost is noticed by the next POSITION, without another write', async () => {
    await open();
    await world.write('one');
    await world.host.idle();
    const { views, figures } = world.seat('a');
    // The connection stands, but the rows of the next write never arrive.
    const whole = { ...views };
    Object.assign(views, { receiveRows: () => undefined });
    await world.write('lost');
    await world.host.idle();
    Object.assign(views, whole);
    expect(token()).to.equal(1);
    await world.clock.advance(POSITION_REPAIR_INTERVAL_MS);
    await world.host.idle();
    expect([token(), figures.counter('stream.account-data.catch-ups')]).to.deep.equal([2, 1]);
  });

  it('an owner that is not heard any more is subscribed to again', async () => {
    await open();
    world.host.ref('account-data').tell('stream.unsubscribe', { subscriber: 'views@a' });
    await world.write('unheard');
    await world.host.idle();
    expect(token()).to.equal(0);
    await world.clock.advance(OWNER_SILENCE_MAX_MS + 2 * VIEWS_CHECK_INTERVAL_MS);
    await world.host.idle();
    expect(token()).to.equal(1);
  });

  it('says how far it is, so that its lag can be seen at the owner', async () => {
    await open();
    await world.write('one', 'two');
    await world.host.idle();
    await world.clock.advance(VIEWS_CHECK_INTERVAL_MS);
    await world.host.idle();
    const { gauges } = world.host.supervisor.figures();
    expect(gauges.get('stream.account-data.subscriber.views@a.position')).to.equal(2);
    expect(gauges.get('stream.account-data.subscriber.views@a.lag')).to.equal(0);
    expect(gauges.get('stream.account-data.subscribers')).to.equal(1);
    await world.host.restart('account-data');
    await world.host.idle();
    await world.clock.advance(2 * POSITION_REPAIR_INTERVAL_MS);
    await world.host.idle();
    expect(world.host.supervisor.figures().gauges.get('stream.account-data.subscriber.views@a.lag')).to.equal(
      0,
    );
  });

  it('leaves no timer behind', async () => {
    await open();
    await world.write('one');
    await world.host.idle();
    await world.host.stop();
    world.seat('a').views.close();
    // Those that repeat would never end; the kit's own table of asks looks once more.
    await world.clock.advance(60_000);
    expect(world.clock.pendingTimers).to.equal(0);
  });
});
