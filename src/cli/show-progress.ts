import { formatBytes, type OnProgress } from '../backup/progress.ts';
import type { CommandContext } from './command.ts';

/** How often a line on a terminal is written anew, in milliseconds. */
const REDRAW_MS = 200;
/** Where nobody watches, a line is written no more often than this. */
const LINE_MS = 10_000;
const BACK_TO_START = '\r';
const CLEAR_LINE = '\u001B[K';

/** Shows how far something is, and ends the line that it has written. */
export interface ShownProgress {
  readonly onProgress: OnProgress;
  end(): void;
}

/** On a terminal one line that changes; elsewhere a line for each thing that begins, and one now and then. */
export function showProgress({ streams, clock, say }: CommandContext): ShownProgress {
  const { talk } = streams;
  let what = '';
  let shownAt = -Infinity;
  const percentOf = (doneBytes: number, totalBytes: number): number =>
    totalBytes === 0 ? 0 : Math.min(100, Math.floor((doneBytes / totalBytes) * 100));
  return {
    onProgress(progress) {
      const { doneBytes, totalBytes } = progress;
      const isNew = progress.what !== what;
      const percent = percentOf(doneBytes, totalBytes);
      const text =
        totalBytes === 0
          ? progress.what
          : `${progress.what}: ${formatBytes(doneBytes)} of ${formatBytes(totalBytes)} (${percent} %)`;
      what = progress.what;
      const now = clock.monotonic();
      const isDue = isNew || now - shownAt >= (talk.isTTY ? REDRAW_MS : LINE_MS);
      if (!isDue && !(talk.isTTY && doneBytes >= totalBytes)) return;
      shownAt = now;
      if (talk.isTTY) talk.write(`${BACK_TO_START}${text}${CLEAR_LINE}`);
      else say(isNew ? progress.what : text);
    },
    end() {
      if (talk.isTTY && what !== '') talk.write(`${BACK_TO_START}${CLEAR_LINE}`);
      what = '';
    },
  };
}
