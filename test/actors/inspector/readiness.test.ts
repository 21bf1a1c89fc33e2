import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createDiskProbe, PROBE_EVERY_MS, PROBE_FILE } from '../../../actors/inspector/disk-probe.ts';
import {
  FAILED_WRITE_COUNTS_MS,
  judgeReadiness,
  type ReadinessGround,
} from '../../../actors/inspector/readiness.ts';
import type { SystemStatus } from '../../../actors/kit/status.ts';
import { readMetricSlabs } from '../../../src/kit/metric-reader.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const actor = (name: string, thread: string, state = 'running') => ({ name, thread, state, lastError: '' });
const thread = (name: string, state = 'running') => ({ name, state, lastError: '' });

function groundOf(change: {
  readonly phase?: string;
  readonly threads?: readonly object[];
  readonly actors?: readonly object[];
  readonly gauges?: readonly (readonly [string, number])[];
  readonly diskFault?: string;
  readonly now?: number;
}): ReadinessGround {
  const threads = [thread('store'), thread('couriers'), thread('gateway-1'), thread('gateway-2')];
  const actors = [
    actor('committer', 'store'),
    actor('http@gateway-1', 'gateway-1'),
    actor('http@gateway-2', 'gateway-2'),
  ];
  const status = {
    phase: 'running',
    threads,
    actors,
    figuresOverflow: 0,
    ...change,
  } as unknown as SystemStatus;
  const figures = {
    ...readMetricSlabs([]),
    gauges: new Map(change.gauges ?? []),
    texts: new Map([['commit.last-error', 'full: no room']]),
  };
  return { status, figures, diskFault: change.diskFault ?? null, now: change.now ?? 100_000 };
}

/** The parts that are not well. */
function faultsOf(change: Parameters<typeof groundOf>[0]): string[] {
  const { isReady, parts } = judgeReadiness(groundOf(change));
  const faults = parts.filter(({ fault }) => fault !== null).map(({ name, fault }) => `${name}: ${fault}`);
  expect(isReady).to.equal(faults.length === 0);
  return faults;
}

describe('readiness', () => {
  it('is there when every part that requests need is', () => {
    expect(faultsOf({})).to.deep.equal([]);
    expect(
      faultsOf({
        threads: [thread('store'), thread('couriers', 'down'), thread('gateway-1'), thread('gateway-2')],
      }),
    ).to.deep.equal([]);
  });

  it('says which part is not, and why', () => {
    expect(faultsOf({ phase: 'stopping' })).to.deep.equal(['supervisor: the server is stopping']);
    expect(
      faultsOf({ threads: [thread('store', 'blocked'), thread('gateway-1'), thread('gateway-2')] }),
    ).to.deep.equal(['store: the thread store is blocked']);
    expect(
      faultsOf({ threads: [thread('store'), thread('gateway-1'), thread('gateway-2', 'down')] }),
    ).to.deep.equal(['gateways: the thread gateway-2 is down']);
    expect(
      faultsOf({ actors: [actor('committer', 'store', 'crashed'), actor('http@gateway-1', 'gateway-1')] }),
    ).to.deep.equal(['committer: committer is crashed']);
    expect(faultsOf({ diskFault: 'no room' })).to.deep.equal(['disk: no room']);
  });

  it('counts a write that failed against the server, until one succeeds or some time has passed', () => {
    const failed = ['commit.unavailable-at', 90_000] as const;
    const now = 90_000 + FAILED_WRITE_COUNTS_MS;
    expect(faultsOf({ gauges: [failed], now: now - 1 })).to.deep.equal([
      'committer: the last write failed: full: no room',
    ]);
    expect(faultsOf({ gauges: [failed], now })).to.deep.equal([]);
    expect(faultsOf({ gauges: [failed, ['commit.committed-at', 90_001]], now: now - 1 })).to.deep.equal([]);
    expect(faultsOf({ gauges: [['commit.unavailable-at', 0]], now: 5 }), 'none has failed yet').to.deep.equal(
      [],
    );
  });

  it('tries the disk, leaves nothing there, and does not ask too often', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'troupe-probe-'));
    const clock = createFakeClock();
    const probe = createDiskProbe(folder, clock);
    expect(await probe.findFault()).to.equal(null);
    expect(readdirSync(folder)).to.deep.equal([]);
    // What cannot be written for whatever reason, also by root.
    mkdirSync(join(folder, PROBE_FILE));
    expect(await probe.findFault()).to.equal(null);
    await clock.advance(PROBE_EVERY_MS);
    expect(await probe.findFault()).to.match(/cannot be written: EISDIR/);
    rmSync(folder, { recursive: true });
  });
});
