import { expect } from 'chai';
import type { ActorLifeEvent } from '../../../actors/kit/ref.ts';
import { ASK_DEADLINE_MS_DEFAULT } from '../../../actors/kit/ref.ts';
import { TRANSPORTS } from '../../support/actor-host.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { createCollectingLog } from './fixtures/collecting-log.ts';
import { createProbeHost, failureOf } from './fixtures/probe-host.ts';
import type { ProbeHost } from './fixtures/probe-host.ts';

for (const transport of TRANSPORTS) {
  describe(`lives and asks, ${transport}`, () => {
    let host: ProbeHost;
    beforeEach(async () => {
      host = await createProbeHost(transport);
    });
    afterEach(() => host.stop());

    for (const fails of ['throws', 'rejects', 'crashes', 'in-watch'] as const) {
      it(`R23 a handler that fails (${fails}) ends its incarnation and answers its open asks as stopped`, async () => {
        const other = host.ref('interleaved').ask('probe.work', { id: 'other', gate: 'never' });
        const answeredLater = host
          .ref('interleaved')
          .ask('probe.work', { id: 'later', gate: 'never', isLater: true });
        await host.stage.wrote('begin later');
        const culprit = host.ref('interleaved').ask('probe.work', { id: 'culprit', fails });
        const reasons = await Promise.all([other, answeredLater, culprit].map((ask) => ask.catch(() => 'x')));
        // The watcher fails after its message was answered.
        expect(reasons.slice(0, 2)).to.deep.equal(['x', 'x']);
        expect(reasons[2]).to.equal(fails === 'in-watch' ? 'culprit of 1' : 'x');
        expect(await failureOf(other)).to.equal('stopped');
        await host.stage.wrote('start interleaved 2');
        expect(await host.ref('interleaved').ask('probe.work', { id: 'after' })).to.equal('after of 2');
      });
    }

    it('R23 an answer that comes later and fails is a crash', async () => {
      const ask = host
        .ref('serial')
        .ask('probe.work', { id: 'l', gate: 'g', isLater: true, fails: 'rejects' });
      await host.stage.wrote('begin l');
      host.stage.open('g');
      expect(await failureOf(ask)).to.equal('stopped');
      await host.stage.wrote('start serial 2');
      const status = host.status().actors.find(({ name }) => name === 'serial');
      expect(status).to.include({ failed: 1, restarts: 1, incarnation: 2, lastError: 'Error: l rejects' });
    });

    it('R24 messages that wait at a crash wait for the next incarnation, in their order', async () => {
      const serial = host.ref('serial');
      const culprit = serial.ask('probe.work', { id: 'culprit', gate: 'g', fails: 'throws' });
      await host.stage.wrote('begin culprit');
      serial.tell('probe.note', { id: 'w1' });
      const second = serial.ask('probe.work', { id: 'w2' });
      serial.tell('probe.note', { id: 'w3' });
      host.stage.open('g');
      expect(await failureOf(culprit)).to.equal('stopped');
      expect(await second).to.equal('w2 of 2');
      await host.idle();
      const begun = host.stage.journal.filter((line) => line.startsWith('begin'));
      expect(begun).to.deep.equal(['begin culprit', 'begin w1', 'begin w2', 'begin w3']);
    });

    it('R25 an incarnation that has ended can neither send nor answer', async () => {
      const stale = host
        .ref('interleaved')
        .ask('probe.work', { id: 'stale', gate: 'g', reportsOutcome: true });
      await host.stage.wrote('begin stale');
      host.crashNext('interleaved');
      expect(await failureOf(host.ref('interleaved').ask('probe.work', { id: 'culprit' }))).to.equal(
        'stopped',
      );
      expect(await failureOf(stale)).to.equal('stopped');
      await host.stage.wrote('start interleaved 2');
      host.stage.open('g');
      await host.ref('interleaved').ask('probe.work', { id: 'fresh', gate: 'g', reportsOutcome: true });
      await host.idle();
      expect(host.stage.journal).to.include('goes on fresh');
      expect(host.stage.journal).to.not.include('goes on stale');
      // `ended` was heard, but what is said then is not.
      expect(host.stage.journal).to.not.include('posthumous interleaved');
    });

    it('R26 a watcher hears of starts and stops in order, and of what runs already', async () => {
      const heard: ActorLifeEvent[] = [];
      const unwatch = host.supervisor.watch('serial', (event) => heard.push(event));
      expect(heard).to.deep.equal([]);
      await host.restart('serial');
      await host.restart('serial');
      await host.idle();
      const events = heard.map(({ event, incarnation }) => `${event} ${incarnation}`);
      expect(events).to.deep.equal(['started 1', 'stopped 1', 'started 2', 'stopped 2', 'started 3']);
      unwatch();
      await host.restart('serial');
      expect(heard).to.have.lengthOf(5);
    });

    it('R38 an actor that the tree leaves out answers stopped, and one that nobody knows is a mistake', async () => {
      await host.stop();
      host = await createProbeHost(transport, { supervision: { absent: ['droppings'] } });
      const absent = host.ref('droppings' as 'serial');
      expect(absent.tell('probe.note', { id: 'm' })).to.equal('stopped');
      expect(await failureOf(absent.ask('probe.work', { id: 'm' }))).to.equal('stopped');
      expect(() => host.ref('nobody' as 'serial')).to.throw('no actor is named nobody');
    });

    it('R21 a ref stays valid, R27 incarnations count, R31 a restart is no failure', async () => {
      const serial = host.ref('serial');
      expect(await serial.ask('probe.work', { id: 'm' })).to.equal('m of 1');
      for (let round = 2; round < 12; round += 1) {
        // More often than the limit of restarts allows for crashes.
        await host.restart('serial');
        expect(await serial.ask('probe.work', { id: 'm' })).to.equal(`m of ${round}`);
      }
      expect(host.status().actors.find(({ name }) => name === 'serial')).to.include({
        failed: 0,
        restarts: 10,
      });
    });

    it('R20 an ask to an actor between two lives waits while its thread lives', async () => {
      host.crashNext('serial');
      const culprit = host.ref('serial').ask('probe.work', { id: 'culprit' });
      const waits = host.ref('serial').ask('probe.work', { id: 'waits' });
      expect(await failureOf(culprit)).to.equal('stopped');
      expect(await waits).to.equal('waits of 2');
    });

    it('R32 a stop works off what waits, calls stop, and takes nothing more', async () => {
      const serial = host.ref('serial');
      const waiting = ['s1', 's2', 's3'].map((id) => serial.ask('probe.work', { id, gate: 'g' }));
      await host.stage.wrote('begin s1');
      const stopped = host.stop();
      host.stage.open('g');
      expect(await Promise.all(waiting)).to.deep.equal(['s1 of 1', 's2 of 1', 's3 of 1']);
      await stopped;
      const { journal } = host.stage;
      expect(journal.indexOf('end s3')).to.be.lessThan(journal.indexOf('stop serial'));
      const stops = journal.filter((line) => line.startsWith('stop '));
      expect(stops).to.deep.equal(['stop dropping', 'stop by-key', 'stop interleaved', 'stop serial']);
      expect(serial.tell('probe.note', { id: 'late' })).to.equal('stopped');
      expect(await failureOf(serial.ask('probe.work', { id: 'late' }))).to.equal('stopped');
    });
  });

  describe(`time and logs, ${transport}`, () => {
    it('R18 an ask fails as timed-out when its deadline passes, and a later answer is ignored', async () => {
      const clock = createFakeClock();
      const host = await createProbeHost(transport, { clock });
      const usual = host.ref('interleaved').ask('probe.work', { id: 'usual', gate: 'g' });
      const short = host
        .ref('interleaved')
        .ask('probe.work', { id: 'short', gate: 'g' }, { deadlineMs: 100 });
      const outcomes: string[] = [];
      const note = (name: string) => (error: unknown) =>
        void outcomes.push(`${name} ${(error as { reason: string }).reason}`);
      void usual.catch(note('usual'));
      void short.catch(note('short'));
      await host.stage.wrote('begin short');
      await clock.advance(99);
      expect(outcomes).to.deep.equal([]);
      await clock.advance(1);
      expect(outcomes).to.deep.equal(['short timed-out']);
      await clock.advance(ASK_DEADLINE_MS_DEFAULT - 101);
      expect(outcomes).to.have.lengthOf(1);
      await clock.advance(1);
      expect(outcomes).to.deep.equal(['short timed-out', 'usual timed-out']);
      host.stage.open('g');
      await host.idle();
      expect(outcomes).to.have.lengthOf(2);
      await host.stop();
      expect(clock.pendingTimers).to.equal(0);
    });
  });
}

describe('what is logged of a crash', () => {
  it('R23 the input is logged, cut short', async () => {
    const log = createCollectingLog();
    const host = await createProbeHost('same-thread', { log: log.logger });
    const list = Array.from({ length: 100_000 }, (_, index) => index);
    const ask = host.ref('serial').ask('probe.work', { id: 'culprit', fails: 'throws', payload: list });
    expect(await failureOf(ask)).to.equal('stopped');
    const line = log.lines.find(({ message }) => message === 'an actor crashed');
    expect(line?.fields).to.include({ actor: 'serial', incarnation: 1, messageName: 'probe.work' });
    expect(String(line?.fields['input']))
      .to.match(/culprit/)
      .and.to.have.lengthOf.at.most(1000);
    await host.stop();
  });
});
