import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { httpFamilies, plainFamilies } from '../../../src/inspector/exposition/figure-families.ts';
import { writeExposition } from '../../../src/inspector/exposition/metric-family.ts';
import type { ThreadFigures } from '../../../src/inspector/stream-report.ts';
import { readMetricSlabs } from '../../../src/kit/metric-reader.ts';
import { createMetricBuffer, createSlabMetrics } from '../../../src/kit/metric-slab.ts';
import type { Metrics } from '../../../src/kit/metrics.ts';

function threadOf(thread: string, fill: (metrics: Metrics) => void): ThreadFigures {
  const buffer = createMetricBuffer(256 * 1024);
  fill(createSlabMetrics(buffer));
  return { thread, figures: readMetricSlabs([buffer]) };
}

describe('exposition', () => {
  it('adds the threads up, and counts exactly what lies below each bound', () => {
    const times =
      (...values: readonly number[]) =>
      (metrics: Metrics) => {
        for (const value of values) metrics.histogram('commit.time').record(value);
        metrics.counter('commit.sets').add(values.length);
      };
    // 1.024 ms ends a bucket: what is just below it counts there, what is on it does not.
    const threads = [threadOf('a', times(0.1, 1.023, 1.024)), threadOf('b', times(4.2, 90_000))];
    const lines = writeExposition(plainFamilies(threads), 'text').split('\n');
    expect(lines).to.include('troupe_commit_sets_total 5');
    const bucket = (le: string) =>
      lines
        .find((line) => line.startsWith(`troupe_commit_duration_seconds_bucket{le="${le}"}`))
        ?.split(' ')[1];
    expect([
      bucket('0.000512'),
      bucket('0.001024'),
      bucket('0.004096'),
      bucket('0.016384'),
      bucket('33.554432'),
      bucket('+Inf'),
    ]).to.deep.equal(['1', '2', '3', '4', '4', '5']);
    expect(lines).to.include('troupe_commit_duration_seconds_count 5');
    const sum = lines.find((line) => line.startsWith('troupe_commit_duration_seconds_sum'));
    expect(Number(sum?.split(' ')[1])).to.be.closeTo(90.006347, 1e-9);
  });

  it('tells requests apart by endpoint and outcome', () => {
    const gateway = (refused: number) =>
      threadOf(`gateway-${refused}`, (metrics) => {
        metrics.counter('http.endpoint.GET /a.b/{id}.requests').add(10);
        metrics.counter('http.endpoint.GET /a.b/{id}.refused').add(refused);
        metrics.counter('http.rate-limited.login.address').add(1);
      });
    const text = writeExposition(httpFamilies([gateway(1), gateway(2)]), 'text');
    expect(text).to.contain('troupe_http_requests_total{method="GET",path="/a.b/{id}",status="ok"} 17\n');
    expect(text).to.contain('troupe_http_requests_total{method="GET",path="/a.b/{id}",status="4xx"} 3\n');
    expect(text).to.contain('troupe_http_requests_total{method="GET",path="/a.b/{id}",status="5xx"} 0\n');
    expect(text).to.contain('troupe_http_rate_limited_total{class="login",by="address"} 2\n');
  });

  it('escapes labels, names counters as each format wants it, and leaves out what has no sample', () => {
    const families = [
      { name: 'one', type: 'counter', help: 'a\nb', samples: [{ labels: { of: 'a"b\\c\nd' }, value: 1 }] },
      { name: 'two', type: 'gauge', help: 'none', samples: [] },
    ] as const;
    expect(writeExposition(families, 'text')).to.equal(
      '# HELP one_total a\\nb\n# TYPE one_total counter\none_total{of="a\\"b\\\\c\\nd"} 1\n',
    );
    expect(writeExposition(families, 'openmetrics')).to.equal(
      '# HELP one a\\nb\n# TYPE one counter\none_total{of="a\\"b\\\\c\\nd"} 1\n# EOF\n',
    );
  });

  it('has every metric that docs/monitoring.md speaks of', () => {
    const guide = readFileSync(new URL('../../../docs/monitoring.md', import.meta.url), 'utf8');
    const sources = [
      'src/inspector/exposition/figure-families.ts',
      'src/inspector/exposition/report-families.ts',
      'actors/inspector/exposition.ts',
    ]
      .map((file) => readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8'))
      .join('\n');
    const named = new Set(
      [...guide.matchAll(/troupe_[a-z_]+/g)].map(([name]) => name.replace(/_(total|bucket)$/, '')),
    );
    named.delete('troupe_');
    expect(named.size).to.be.greaterThan(12);
    for (const name of named) expect(sources, name).to.contain(`'${name}'`);
  });
});
