import { writeSync } from 'node:fs';
import { stdin, stdout } from 'node:process';
import { type GroupCommit, openGroupCommit } from '../../../db/kit/group-commit.ts';
import { defineQuery } from '../../../db/kit/query.ts';
import { step } from '../../../db/kit/write-set.ts';
import { systemClock } from '../../../src/kit/clock.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import type { Metrics } from '../../../src/kit/metrics.ts';
import { createNotesOf, type KeeperAnswer, type KeeperOrder } from './note-keeper-orders.ts';

/**
 * A process of its own that keeps notes until it is killed. It reads one order (a line of JSON) from its standard input, and writes
 * every answer that it got from the group commit to its standard output before it asks for the next.
 */

const insertInto = (stream: string) =>
  defineQuery<{ readonly text: string; readonly position: number }>({
    name: `${stream}.insert`,
    sql: `INSERT INTO ${stream} (position, text) VALUES (:position, :text)`,
  });

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Writes all of it before it returns. The pipe does not block: when its reader is busy, it takes nothing for a while. */
const tell = (answer: KeeperAnswer): void => {
  let rest = Buffer.from(`${JSON.stringify(answer)}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(stdout.fd, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
};

/** Figures that kill this process when a statement of `stream` has run: after the allocation, before the commit. */
function deadlyMetrics(stream: string | null): Metrics {
  return {
    counter: (name) => ({
      add: () => {
        if (name === `query.${stream ?? ''}.insert.count`) process.kill(process.pid, 'SIGKILL');
      },
    }),
    gauge: () => ({ set: () => undefined, read: () => 0 }),
    histogram: () => ({ record: () => undefined }),
    text: () => ({ set: () => undefined }),
  };
}

async function write(commit: GroupCommit, order: KeeperOrder, writer: number): Promise<void> {
  const stream = order.streams[writer % order.streams.length] ?? '';
  const query = insertInto(stream);
  for (let number = 0; number < order.setsMax; number += 1) {
    const texts = Array.from(
      { length: 1 + (number % 3) },
      (_, index) => `${order.life}-${writer}-${number}-${index}-${'x'.repeat(order.padding)}`,
    );
    const outcome = await commit.write({
      owner: 'keeper',
      advance: { stream, count: texts.length },
      steps: texts.map((text, positionOffset) => step(query, { text }, { positionOffset })),
    });
    if (outcome.kind === 'refused') throw new Error(outcome.refusal);
    if (outcome.kind === 'committed')
      tell({ kind: 'committed', stream, position: outcome.position ?? 0, texts });
    else tell({ kind: 'unavailable', fault: outcome.fault, detail: outcome.detail });
  }
}

async function keep(order: KeeperOrder): Promise<void> {
  const commit = openGroupCommit({
    path: order.path,
    queries: new Map(order.streams.map((stream) => [`${stream}.insert`, insertInto(stream)])),
    streams: order.streams.map(createNotesOf),
    metrics: deadlyMetrics(order.diesIn),
    clock: systemClock,
    log: silentLogger,
  });
  await Promise.all(Array.from({ length: order.writers }, (_, writer) => write(commit, order, writer)));
  commit.close();
}

stdin.once('data', (line) => {
  stdin.destroy();
  keep(JSON.parse(String(line)) as KeeperOrder).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  });
});
tell({ kind: 'ready' });
