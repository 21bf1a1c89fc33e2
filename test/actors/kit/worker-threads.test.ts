import { expect } from 'chai';
import { createProbeHost, failureOf } from './fixtures/probe-host.ts';
import type { ProbeHost } from './fixtures/probe-host.ts';

/** What only real threads can show: death, blocking, memory that is read while its owner can do nothing. */
describe('worker threads', () => {
  let host: ProbeHost;
  afterEach(() => host.stop());

  it('R19 the death of a worker fails its open asks, R29 it is restarted, R21 refs stay valid', async () => {
    host = await createProbeHost('other-thread');
    const serial = host.ref('serial');
    const open = host.ref('interleaved').ask('probe.work', { id: 'open', gate: 'never' });
    await host.stage.wrote('begin open');
    const killer = serial.ask('probe.work', { id: 'killer', fails: 'exits' });
    const waiting = serial.ask('probe.work', { id: 'waiting' });
    const reasons = await Promise.all([open, killer, waiting].map((ask) => failureOf(ask)));
    expect(reasons).to.deep.equal(['stopped', 'stopped', 'stopped']);
    // R20: at once, while the thread is dead.
    expect(await failureOf(serial.ask('probe.work', { id: 'dead' }))).to.equal('stopped');
    await host.stage.wrote('start dropping 2');
    // Who waited there is dead, but the stage cannot know.
    host.stage.openAll();
    await host.idle();
    expect(await serial.ask('probe.work', { id: 'after' })).to.equal('after of 2');
    const [worker] = host.status().threads.filter(({ name }) => name === 'worker');
    expect(worker).to.include({ state: 'running', restarts: 1, lastError: 'exit code 3' });
  });

  it('R34 the status of a blocked worker is read, R36 and the watchdog ends it', async () => {
    host = await createProbeHost('other-thread', {
      watchdog: { warnAfterMs: 50, restartAfterMs: 1_300, intervalMs: 20 },
    });
    const open = host.ref('interleaved').ask('probe.work', { id: 'blocks', blocksMs: 60_000 });
    host.ref('serial').tell('probe.note', { id: 'waits' });
    const failed = failureOf(open);
    const { supervisor } = host;
    // Looked at until the blocking shows: nothing that happens on the worker could tell.
    let isSeen = false;
    while (!isSeen) {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      const { threads, actors } = supervisor.status();
      const serial = actors.find(({ name }) => name === 'serial');
      const isBlocked = threads.some(({ name, state }) => name === 'worker' && state === 'blocked');
      isSeen = isBlocked && serial?.depth === 1 && serial.oldestAgeMs > 100;
    }
    expect(await failed).to.equal('stopped');
    await host.stage.wrote('start dropping 2');
    expect(await host.ref('serial').ask('probe.work', { id: 'after' })).to.equal('after of 2');
    expect(supervisor.figures('main').counters.get('watchdog.restarted')).to.equal(1);
  });

  it('R33 a worker that is blocked at a stop is ended', async () => {
    host = await createProbeHost('other-thread', {
      supervision: { stopDeadlineMs: 10 },
    });
    const failed = failureOf(host.ref('interleaved').ask('probe.work', { id: 'blocks', blocksMs: 60_000 }));
    await host.stop();
    expect(await failed).to.equal('stopped');
    expect(host.status().threads.every(({ state }) => state === 'ended')).to.equal(true);
  });

  it('R34 a worker shows its vital figures', async () => {
    host = await createProbeHost('other-thread');
    let heapUsedBytes = 0;
    while (heapUsedBytes === 0) {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      heapUsedBytes = host.status().threads.find(({ name }) => name === 'worker')?.heapUsedBytes ?? 0;
    }
    expect(heapUsedBytes).to.be.greaterThan(1_000_000);
    await host.ref('serial').ask('probe.work', { id: 'm' });
    const serial = host.status().actors.find(({ name }) => name === 'serial');
    expect(serial).to.include({ handled: 1, thread: 'worker', state: 'running' });
    expect(serial?.messages[0]).to.include({ name: 'probe.work', count: 1 });
    expect(serial?.messages[0]?.p99Ms).to.be.greaterThan(0);
  });
});
