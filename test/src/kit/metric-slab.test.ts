import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { readMetricSlabs } from '../../../src/kit/metric-reader.ts';
import {
  createMetricBuffer,
  createSlabMetrics,
  METRIC_FIGURES_MAX,
  METRIC_NAME_BYTES_MAX,
} from '../../../src/kit/metric-slab.ts';
import { METRIC_TEXT_BYTES_MAX } from '../../../src/kit/metrics.ts';

describe('metric slab', () => {
  it('shows what was counted, set, recorded and said', () => {
    const buffer = createMetricBuffer();
    const metrics = createSlabMetrics(buffer);
    metrics.counter('actor.rooms.handled').add();
    metrics.counter('actor.rooms.handled').add(41);
    metrics.gauge('heap').set(12.5);
    metrics.text('last').set('größer');
    const shown = readMetricSlabs([buffer]);
    expect(shown.counters.get('actor.rooms.handled')).to.equal(42);
    expect(shown.gauges.get('heap')).to.equal(12.5);
    expect(metrics.gauge('heap').read()).to.equal(12.5);
    expect(shown.texts.get('last')).to.equal('größer');
    expect(shown.overflow).to.equal(0);
  });

  it('tells quantiles within a sixteenth, from a microsecond to 100 s', () => {
    for (const scaleMs of [0.02, 1, 50, 900]) {
      const buffer = createMetricBuffer();
      const histogram = createSlabMetrics(buffer).histogram('h');
      for (let value = 1; value <= 100; value += 1) histogram.record(value * scaleMs);
      const shown = readMetricSlabs([buffer]).histograms.get('h');
      expect(shown?.count).to.equal(100);
      expect(shown?.meanMs).to.be.closeTo(50.5 * scaleMs, scaleMs / 1e6);
      expect(shown?.maxMs).to.equal(100 * scaleMs);
      expect(shown?.p50Ms).to.be.closeTo(50 * scaleMs, 50 * scaleMs * 0.0625 + 0.001);
      expect(shown?.p99Ms).to.be.closeTo(99 * scaleMs, 99 * scaleMs * 0.0625 + 0.001);
    }
  });

  it('takes values beyond both ends', () => {
    const buffer = createMetricBuffer();
    const histogram = createSlabMetrics(buffer).histogram('h');
    histogram.record(-1);
    histogram.record(1e9);
    const shown = readMetricSlabs([buffer]).histograms.get('h');
    expect(shown?.p50Ms).to.be.lessThan(0.001);
    expect(shown?.p99Ms).to.be.closeTo(100_000, 7_000);
  });

  it('cuts texts between characters', () => {
    const buffer = createMetricBuffer();
    const text = createSlabMetrics(buffer).text('t');
    text.set('€'.repeat(METRIC_TEXT_BYTES_MAX));
    expect(readMetricSlabs([buffer]).texts.get('t')).to.equal('€'.repeat(METRIC_TEXT_BYTES_MAX / 3));
    text.set('short');
    expect(readMetricSlabs([buffer]).texts.get('t')).to.equal('short');
  });

  it('keeps figures of one name and several kinds apart', () => {
    const buffer = createMetricBuffer();
    const metrics = createSlabMetrics(buffer);
    metrics.counter('same').add(1);
    metrics.gauge('same').set(2);
    const shown = readMetricSlabs([buffer]);
    expect([shown.counters.get('same'), shown.gauges.get('same')]).to.deep.equal([1, 2]);
  });

  it('goes on counting in the next life of its thread', () => {
    const buffer = createMetricBuffer();
    createSlabMetrics(buffer).counter('c').add(3);
    createSlabMetrics(buffer).text('t').set('before');
    createSlabMetrics(buffer).gauge('g').set(5);
    const next = createSlabMetrics(buffer);
    next.counter('c').add(4);
    next.counter('d').add();
    next.gauge('g').set(6);
    const shown = readMetricSlabs([buffer]);
    expect([...shown.counters]).to.deep.equal([
      ['c', 7],
      ['d', 1],
    ]);
    expect(shown.gauges.get('g')).to.equal(6);
    expect(shown.texts.get('t')).to.equal('before');
  });

  it('counts what finds no place, and lets it work for its owner', () => {
    const buffer = createMetricBuffer();
    const metrics = createSlabMetrics(buffer);
    for (let index = 0; index < METRIC_FIGURES_MAX; index += 1) metrics.counter(`c${index}`).add();
    const beyond = metrics.gauge('beyond');
    beyond.set(7);
    metrics.histogram('beyond').record(1);
    metrics.text('beyond').set('x');
    expect(beyond.read()).to.equal(7);
    const shown = readMetricSlabs([buffer]);
    expect(shown.overflow).to.equal(3);
    expect(shown.counters.size).to.equal(METRIC_FIGURES_MAX);
    expect(shown.gauges.size + shown.histograms.size + shown.texts.size).to.equal(0);
  });

  it('counts a full slab and a name that is too long, too', () => {
    const buffer = createMetricBuffer(1024);
    const metrics = createSlabMetrics(buffer);
    metrics.histogram('fits').record(1);
    metrics.histogram('does not').record(1);
    metrics.counter('x'.repeat(METRIC_NAME_BYTES_MAX + 1)).add();
    const shown = readMetricSlabs([buffer]);
    expect([...shown.histograms.keys()]).to.deep.equal(['fits']);
    expect(shown.overflow).to.equal(2);
  });

  it('adds up several threads', () => {
    const buffers = [createMetricBuffer(), createMetricBuffer()];
    for (const [index, buffer] of buffers.entries()) {
      const metrics = createSlabMetrics(buffer);
      metrics.counter('c').add(index + 1);
      metrics.histogram('h').record(10 ** index);
      metrics.text('t').set(index === 0 ? 'said' : '');
    }
    const shown = readMetricSlabs(buffers);
    expect(shown.counters.get('c')).to.equal(3);
    expect(shown.histograms.get('h')).to.include({ count: 2, maxMs: 10 });
    expect(shown.texts.get('t')).to.equal('said');
  });

  it('is read while its owner blocks right after the figure was made', async () => {
    const buffer = createMetricBuffer();
    const entry = `
      import { workerData } from 'node:worker_threads';
      import { createSlabMetrics } from ${JSON.stringify(new URL('../../../src/kit/metric-slab.ts', import.meta.url).href)};
      createSlabMetrics(workerData).counter('last.words').add(5);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    `;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(entry)}`), {
      workerData: buffer,
    });
    const online = new Promise((resolve, reject) => {
      worker.once('error', reject);
      worker.once('online', resolve);
    });
    await online;
    let counted: number | undefined;
    while (counted !== 5) {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      counted = readMetricSlabs([buffer]).counters.get('last.words');
    }
    await worker.terminate();
  });
});
