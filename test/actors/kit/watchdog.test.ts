import { expect } from 'chai';
import { failureOf } from './fixtures/probe-host.ts';
import type { SimulatedSystem } from './fixtures/simulated-system.ts';
import { createSimulatedSystem, SIMULATED_TREE } from './fixtures/simulated-system.ts';

describe('watchdog', () => {
  let system: SimulatedSystem;
  beforeEach(async () => {
    system = createSimulatedSystem();
    await system.start();
  });
  afterEach(() => system.stop());

  const warnings = (): unknown[] =>
    system.lines
      .filter(({ message }) => message === 'a message waits too long')
      .map(({ fields }) => fields['waitsFor']);

  it('R35 an actor whose oldest message waits too long is logged once per episode', async () => {
    const serial = system.supervisor.ref('serial');
    for (const [round, gate] of ['one', 'two'].entries()) {
      const running = serial.ask('probe.work', { id: gate, gate });
      await system.stage.wrote(`begin ${gate}`);
      const waits = serial.ask('probe.work', { id: 'waits' });
      await system.clock.advance(400);
      expect(warnings()).to.have.lengthOf(round);
      await system.clock.advance(1_000);
      expect(system.actor('serial').oldestAgeMs).to.equal(1_400);
      expect(warnings()).to.have.lengthOf(round + 1);
      system.stage.open(gate);
      await Promise.all([running, waits]);
      await system.clock.advance(200);
    }
    expect(warnings()).to.deep.equal(['serial', 'serial']);
    expect(system.supervisor.figures('main').counters.get('watchdog.warned')).to.equal(2);
    expect(system.thread('store').restarts).to.equal(0);
  });

  it('R35 a message that runs long is no reason, while none waits', async () => {
    const running = system.supervisor.ref('serial').ask('probe.work', { id: 'long', gate: 'g' });
    await system.clock.advance(3_000);
    expect(warnings()).to.deep.equal([]);
    system.stage.open('g');
    expect(await running).to.equal('long of 1');
  });

  it('R36 the thread of an actor that lets its messages wait is restarted, though it is alive', async () => {
    const running = failureOf(system.supervisor.ref('serial').ask('probe.work', { id: 'hangs', gate: 'g' }));
    const waits = failureOf(system.supervisor.ref('serial').ask('probe.work', { id: 'waits' }));
    await system.clock.advance(2_000);
    expect([await running, await waits]).to.deep.equal(['stopped', 'stopped']);
    await system.clock.advance(200);
    expect(system.thread('store')).to.include({ state: 'running', restarts: 1 });
    expect(system.supervisor.figures('main').counters.get('watchdog.restarted')).to.equal(1);
    expect(await system.supervisor.ref('serial').ask('probe.work', { id: 'after' })).to.equal('after of 2');
  });

  it('R36 messages on their way to a blocked thread count, R34 and its status can be read', async () => {
    system.platform.block('store');
    system.supervisor.ref('interleaved').tell('probe.note', { id: 'waits' });
    await system.clock.advance(1_500);
    expect(system.actor('interleaved')).to.include({ depth: 1, oldestAgeMs: 1_500 });
    expect(system.thread('store').state).to.equal('blocked');
    expect(system.thread('gateway').state).to.equal('running');
    await system.clock.advance(1_000);
    expect(system.thread('store')).to.include({ state: 'running', restarts: 1 });
  });

  it('R36 a blocked thread to which nobody sends is restarted, too', async () => {
    system.platform.block('gateway');
    await system.clock.advance(1_900);
    expect(system.thread('gateway').restarts).to.equal(0);
    await system.clock.advance(700);
    expect(system.thread('gateway')).to.include({ state: 'running', restarts: 1 });
    expect(warnings()).to.deep.equal(['thread gateway']);
  });

  it('R36 a thread that comes back in time is left alone', async () => {
    system.platform.block('store');
    await system.clock.advance(1_000);
    system.platform.unblock('store');
    await system.clock.advance(3_000);
    expect(system.thread('store')).to.include({ state: 'running', restarts: 0 });
    expect(await system.supervisor.ref('serial').ask('probe.work', { id: 'm' })).to.equal('m of 1');
  });

  it('R36 on the main thread, which cannot be restarted, the actor alone is ended', async () => {
    // The stage is there: it must not wait at its own gate.
    const main = createSimulatedSystem({
      ...SIMULATED_TREE,
      threads: [{ name: 'main', actors: [{ name: 'stage' }, { name: 'serial' }] }],
    });
    await main.start();
    const hangs = failureOf(main.supervisor.ref('serial').ask('probe.work', { id: 'hangs', gate: 'g' }));
    const waits = main.supervisor.ref('serial').ask('probe.work', { id: 'waits' });
    await main.clock.advance(2_300);
    expect(await hangs).to.equal('stopped');
    expect(await waits).to.equal('waits of 2');
    expect(main.thread('main').restarts).to.equal(0);
    await main.stop();
  });

  it('R36 a receiver is not to blame for what a blocked sender keeps', async () => {
    system.hooks.afterBurst = () => system.platform.block('gateway');
    system.supervisor.ref('relay').tell('relay.burst', 2);
    await system.clock.advance(1_900);
    expect(system.actor('serial')).to.include({ depth: 2, oldestAgeMs: 0 });
    expect(warnings()).to.deep.equal(['thread gateway']);
    await system.clock.advance(1_000);
    expect(system.thread('store').restarts).to.equal(0);
    expect(system.thread('gateway').restarts).to.equal(1);
    expect(system.actor('serial').depth).to.equal(0);
  });

  it('R40 what nobody can mend is beyond repair, until it is well again', async () => {
    const { supervisor, hooks, clock, stage } = system;
    const gate = Promise.withResolvers<void>();
    hooks.atStart = (actor) => (actor === 'serial' ? gate.promise : undefined);
    void failureOf(supervisor.restart('serial'));
    await clock.advance(1_900);
    expect(supervisor.beyondRepair()).to.deep.equal([]);
    await clock.advance(400);
    expect(supervisor.beyondRepair()).to.deep.equal(['serial']);
    hooks.atStart = () => undefined;
    gate.resolve();
    await clock.advance(200);
    expect(supervisor.beyondRepair()).to.deep.equal([]);
    stage.openAll();
  });

  it('R40 what the watchdog has mended in time is not', async () => {
    system.platform.block('gateway');
    for (let passed = 0; passed < 6_000; passed += 100) {
      await system.clock.advance(100);
      expect(system.supervisor.beyondRepair()).to.deep.equal([]);
    }
    expect(system.thread('gateway').restarts).to.equal(1);
  });

  it('R39 all threads hear what is said to them, in order, a blocked one later', async () => {
    const heard = (): string[] =>
      system.notices.map(({ thread, notice }) => `${thread} ${String(notice)}`).toSorted();
    system.platform.block('store');
    system.supervisor.tellThreads('one');
    system.supervisor.tellThreads('two');
    await system.clock.settle();
    const early = ['gateway one', 'gateway two', 'main one', 'main two'];
    expect(heard()).to.deep.equal(early);
    system.platform.unblock('store');
    await system.clock.settle();
    expect(heard()).to.deep.equal([...early, 'store one', 'store two']);
    expect(
      system.notices.filter(({ thread }) => thread === 'store').map(({ notice }) => notice),
    ).to.deep.equal(['one', 'two']);
  });
});
