import type { ExpositionFormat } from '../../src/inspector/exposition/metric-family.ts';
import type { ReadinessReport } from '../../src/inspector/readiness-report.ts';
import type { ThreadFigures } from '../../src/inspector/stream-report.ts';
import type { Milliseconds } from '../../src/kit/clock.ts';
import { readMetricSlabs } from '../../src/kit/metric-reader.ts';
import type { TroupeContext } from '../environment.ts';
import type { Supervisor } from '../kit/supervisor.ts';
import type { ActorMap } from '../protocols.ts';
import { createDiskProbe, type DiskProbe } from './disk-probe.ts';
import { judgeReadiness } from './readiness.ts';

/** Anybody may ask whether the server is ready: it is judged anew after this time at the earliest, in milliseconds. */
const FRESH_MS = 250;

/** What whoever watches over the server asks, again and again. */
export interface Monitor {
  readReadiness(): Promise<ReadinessReport>;
  expose(format: ExpositionFormat): Promise<string>;
}

interface MonitorParts {
  readonly inspected: Pick<Supervisor<ActorMap>, 'status' | 'figures'>;
  readonly readFigures: () => readonly ThreadFigures[];
}

/** Makes what watches. */
export function createMonitor(
  { clock, env, log }: Pick<TroupeContext, 'clock' | 'env' | 'log'>,
  { inspected, readFigures }: MonitorParts,
): Monitor {
  let disk: DiskProbe | null = null;
  const startedTs = clock.now() - clock.monotonic();

  let known: { readonly report: ReadinessReport; readonly at: Milliseconds } | null = null;

  /** The answer to whoever asks says which part, the log says why. */
  function note(report: ReadinessReport): void {
    const wasReady = known?.report.isReady ?? true;
    known = { report, at: clock.monotonic() };
    if (report.isReady === wasReady) return;
    if (report.isReady) log.info('ready again');
    else log.warn('not ready', { faults: report.parts.filter(({ fault }) => fault !== null) });
  }

  async function readReadiness(): Promise<ReadinessReport> {
    if (known !== null && clock.monotonic() - known.at < FRESH_MS) return known.report;
    disk ??= createDiskProbe(env.config.data.path, clock);
    const diskFault = await disk.findFault();
    const status = inspected.status();
    const home = status.actors.find(({ name }) => name === 'committer')?.thread;
    const figures = home === undefined ? readMetricSlabs([]) : inspected.figures(home);
    const report = judgeReadiness({ status, figures, diskFault, now: clock.monotonic() });
    note(report);
    return report;
  }

  return {
    readReadiness,
    async expose(format) {
      // Whoever is never scraped need not have it loaded.
      const [{ expose }, readiness] = await Promise.all([import('./exposition.ts'), readReadiness()]);
      const dataFolder = env.config.data.path;
      const ground = { status: inspected.status(), figures: readFigures(), readiness, dataFolder, startedTs };
      return expose(ground, format);
    },
  };
}
