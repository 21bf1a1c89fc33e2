import { expect } from 'chai';
import type { ActorLifeEvent } from '../../../actors/kit/ref.ts';
import { failureOf } from './fixtures/probe-host.ts';
import type { SimulatedSystem } from './fixtures/simulated-system.ts';
import { createSimulatedSystem, SIMULATED_TREE } from './fixtures/simulated-system.ts';

function starts(system: SimulatedSystem): string[] {
  return system.stage.journal.filter((line) => line.startsWith('start '));
}

describe('supervision', () => {
  let system: SimulatedSystem;
  beforeEach(() => {
    system = createSimulatedSystem();
  });
  afterEach(() => system.stop());

  /** Crashes `serial` and lets its wait pass. */
  async function crashSerial(waitMs: number): Promise<void> {
    const ask = system.supervisor.ref('serial').ask('probe.work', { id: 'c', fails: 'throws' });
    expect(await failureOf(ask)).to.equal('stopped');
    await system.clock.advance(waitMs);
  }

  it('R22 actors start one after the other in the order of the tree, and messages wait for the start', async () => {
    let go: () => void = () => undefined;
    system.hooks.atStart = (actor) =>
      actor === 'serial'
        ? new Promise((resolve) => {
            go = resolve;
          })
        : undefined;
    const started = system.start();
    await system.stage.wrote('start serial 1');
    const early = system.supervisor.ref('serial').ask('probe.work', { id: 'early' });
    await system.clock.settle();
    expect(starts(system)).to.deep.equal(['start serial 1']);
    expect(system.actor('serial')).to.include({ state: 'starting', depth: 1 });
    expect(system.thread('store').state).to.equal('starting');
    expect(system.actor('relay').state).to.equal('waiting');
    go();
    await started;
    expect(await early).to.equal('early of 1');
    await system.stage.wrote('start by-key 1');
    expect(starts(system)).to.deep.equal(['start serial 1', 'start interleaved 1', 'start by-key 1']);
    expect(system.supervisor.status().phase).to.equal('running');
  });

  it('R23 a start that throws is a crash', async () => {
    let failures = 1;
    system.hooks.atStart = (actor) => {
      if (actor === 'interleaved' && failures-- > 0) throw new Error('not yet');
    };
    const started = system.start();
    await system.stage.wrote('start interleaved 1');
    await system.clock.advance(100);
    await started;
    expect(system.actor('interleaved')).to.include({ incarnation: 2, lastError: 'Error: not yet' });
  });

  it('R28 an actor is restarted after an exponential, capped wait', async () => {
    await system.start();
    // Up to a fifth is taken off at random.
    await crashSerial(79);
    expect(system.actor('serial').state).to.equal('crashed');
    await system.clock.advance(21);
    expect(system.actor('serial')).to.include({ state: 'running', incarnation: 2 });
    await crashSerial(159);
    expect(system.actor('serial').state).to.equal('crashed');
    await system.clock.advance(41);
    expect(system.actor('serial')).to.include({ state: 'running', incarnation: 3 });
    await crashSerial(300);
    expect(system.actor('serial')).to.include({ state: 'running', incarnation: 4, restarts: 3 });
    expect(system.thread('store').restarts).to.equal(0);
  });

  it('R28 an actor over its limit makes its thread restart', async () => {
    await system.start();
    for (let crash = 0; crash < 4; crash += 1) {
      await crashSerial(300);
    }
    expect(system.thread('store').restarts).to.equal(1);
    expect(system.thread('store').lastError).to.match(/serial crashed too often/);
    expect(system.actor('serial')).to.include({ state: 'running', incarnation: 5 });
    expect(system.actor('interleaved')).to.include({ state: 'running', incarnation: 2 });
    expect(system.actor('relay').incarnation).to.equal(1);
  });

  it('R28 crashes that lie further apart than the window do not add up', async () => {
    await system.start();
    for (let crash = 0; crash < 6; crash += 1) {
      await crashSerial(4_000);
    }
    expect(system.thread('store').restarts).to.equal(0);
  });

  it('R29 a dead thread is restarted with its actors, R21 refs stay valid, R27 incarnations go on', async () => {
    await system.start();
    const heard: string[] = [];
    system.supervisor.watch('serial', ({ event, incarnation }: ActorLifeEvent) => {
      heard.push(`${event} ${incarnation}`);
    });
    const serial = system.supervisor.ref('serial');
    system.platform.kill('store', 'out of memory');
    await system.clock.settle();
    expect(system.thread('store')).to.include({ state: 'down', lastError: 'out of memory' });
    expect(system.actor('serial').state).to.equal('waiting');
    await system.clock.advance(100);
    expect(system.thread('store')).to.include({ state: 'running', restarts: 1 });
    expect(await serial.ask('probe.work', { id: 'm' })).to.equal('m of 2');
    const relayed = system.supervisor.ref('relay').ask('relay.ask', { id: 'r' });
    expect(await relayed).to.equal('r of 2');
    expect(heard).to.deep.equal(['started 1', 'stopped 1', 'started 2']);
  });

  it('R29 a thread starts its actors when the threads before it are up', async () => {
    await system.start();
    system.platform.kill('store', 'gone');
    system.platform.kill('gateway', 'gone');
    let go: () => void = () => undefined;
    system.hooks.atStart = (actor) =>
      actor === 'serial'
        ? new Promise((resolve) => {
            go = resolve;
          })
        : undefined;
    await system.clock.advance(1_000);
    expect(system.thread('gateway').state).to.equal('starting');
    expect(system.actor('relay').state).to.equal('waiting');
    go();
    await system.stage.wrote('start by-key 2');
    await system.clock.settle();
    expect(system.actor('by-key')).to.include({ state: 'running', incarnation: 2 });
  });

  it('R19 a death fails open asks at once, R20 while the thread is dead asks fail at once', async () => {
    await system.start();
    const serial = system.supervisor.ref('serial');
    const open = serial.ask('probe.work', { id: 'open', gate: 'never' });
    const waiting = serial.ask('probe.work', { id: 'waiting' });
    const relayed = system.supervisor.ref('relay').ask('relay.ask', { id: 'relayed' });
    await system.stage.wrote('begin open');
    system.platform.kill('store', 'gone');
    const now = system.clock.now();
    expect(await failureOf(open)).to.equal('stopped');
    expect(await failureOf(waiting)).to.equal('stopped');
    expect(await relayed).to.equal('stopped');
    expect(await failureOf(serial.ask('probe.work', { id: 'later' }))).to.equal('stopped');
    expect(serial.tell('probe.note', { id: 'later' })).to.equal('stopped');
    expect(await system.supervisor.ref('relay').ask('relay.ask', { id: 'later' })).to.equal('stopped');
    expect(system.clock.now()).to.equal(now);
    await system.clock.advance(100);
    // R2: what waited died with its thread.
    expect(system.stage.journal).to.not.include('begin waiting');
  });

  it('R20 senders see the end of a thread before they hear of it', async () => {
    await system.start();
    system.supervisor.restartThread('store', 'for the test');
    expect(system.supervisor.ref('serial').tell('probe.note', { id: 'late' })).to.equal('stopped');
    expect(await failureOf(system.supervisor.ref('serial').ask('probe.work', { id: 'late' }))).to.equal(
      'stopped',
    );
    await system.clock.advance(100);
    expect(system.thread('store')).to.include({ state: 'running', lastError: 'for the test' });
  });

  it('R2 what was on its way to a thread that dies is not handled', async () => {
    await system.start();
    expect(system.supervisor.ref('serial').tell('probe.note', { id: 'lost' })).to.equal('sent');
    system.platform.kill('store', 'gone');
    await system.clock.advance(100);
    await system.supervisor.ref('serial').ask('probe.work', { id: 'after' });
    expect(system.stage.journal).to.not.include('begin lost');
  });

  it('R10 the places of messages that died with their sender are given back', async () => {
    await system.start();
    let depth = 0;
    system.hooks.afterBurst = () => {
      depth = system.actor('serial').depth;
      system.platform.kill('gateway', 'gone');
    };
    system.supervisor.ref('relay').tell('relay.burst', 4);
    await system.clock.settle();
    expect(depth).to.equal(4);
    expect(system.actor('serial').depth).to.equal(0);
    expect(system.stage.journal).to.not.include('begin burst 0');
    const outcomes = [0, 1, 2, 3].map(() => system.supervisor.ref('serial').tell('probe.note', { id: 'x' }));
    expect(outcomes).to.deep.equal(['sent', 'sent', 'sent', 'sent']);
  });

  it('R5 what is sent to a thread within one turn travels as one batch', async () => {
    await system.start();
    system.posted.length = 0;
    const first = system.supervisor.ref('serial').ask('probe.work', { id: 'first' });
    system.supervisor.ref('interleaved').tell('probe.note', { id: 'second' });
    system.supervisor.ref('serial').tell('probe.note', { id: 'third' });
    await first;
    const own = system.posted.filter((batch) => batch.includes('probe.work') || batch.includes('probe.note'));
    expect(own).to.have.lengthOf(1);
  });

  it('R30 a thread over its limit stops the system, and then the program is told', async () => {
    await system.start();
    for (let death = 0; death < 3; death += 1) {
      system.platform.kill('store', `death ${death}`);
      await system.clock.advance(300);
    }
    await system.clock.advance(5_000);
    expect(system.failures.map(String)).to.deep.equal([
      'Error: thread store ended too often, last with death 2',
    ]);
    expect(system.stage.journal).to.include('stop by-key');
    expect(system.supervisor.status().threads.map(({ state }) => state)).to.deep.equal([
      'ended',
      'ended',
      'ended',
    ]);
    expect(await failureOf(system.supervisor.ref('serial').ask('probe.work', { id: 'x' }))).to.equal(
      'stopped',
    );
  });

  it('R30 a start that never succeeds fails the start of the system', async () => {
    system.hooks.atStart = (actor) => {
      if (actor === 'serial') throw new Error('never');
    };
    let failure: unknown;
    void system.start().catch((error: unknown) => {
      failure = error;
    });
    await system.clock.advance(60_000);
    expect(String(failure)).to.match(/thread store ended too often, last with serial crashed too often/);
    expect(system.failures).to.deep.equal([failure]);
  });

  it('R31 a restart counts against no limit and does not wait', async () => {
    await system.start();
    for (let round = 0; round < 5; round += 1) {
      await system.supervisor.restart('serial');
    }
    expect(system.actor('serial')).to.include({ incarnation: 6, failed: 0 });
    const crashed = system.supervisor.ref('serial').ask('probe.work', { id: 'c', fails: 'throws' });
    expect(await failureOf(crashed)).to.equal('stopped');
    await system.clock.settle();
    expect(system.actor('serial').state).to.equal('crashed');
    await system.supervisor.restart('serial');
    expect(system.actor('serial')).to.include({ state: 'running', incarnation: 7 });
    expect(() => system.supervisor.restart('nobody')).to.throw(/nobody/);
  });

  it('R32 an actor that does not finish is given up when its deadline passes', async () => {
    await system.start();
    const open = failureOf(system.supervisor.ref('serial').ask('probe.work', { id: 'open', gate: 'never' }));
    await system.stage.wrote('begin open');
    const waits = failureOf(system.supervisor.ref('serial').ask('probe.work', { id: 'waits' }));
    const stopped = system.supervisor.stop();
    // The deadlines of `serial` and of the stage that keeps it waiting, one after the other.
    await system.clock.advance(SIMULATED_TREE.stopDeadlineMs * 3);
    expect([await open, await waits]).to.deep.equal(['stopped', 'stopped']);
    await stopped;
    expect(system.lines.some(({ message }) => message === 'an actor did not stop in time')).to.equal(true);
    expect(system.stage.journal).to.not.include('stop serial');
    expect(system.stage.journal).to.include('stop interleaved');
  });

  it('R33 a thread that does not react to a stop is ended', async () => {
    await system.start();
    system.platform.block('store');
    const stopped = system.supervisor.stop();
    await system.clock.advance(10_000);
    await stopped;
    expect(system.thread('store').state).to.equal('ended');
    expect(system.lines.some(({ message }) => message.startsWith('a thread does not stop'))).to.equal(true);
  });
});
