import type { LogSink } from './pino-logger.ts';

/** A batch of lines is handed on when it has grown to this size, even within a turn. */
export const LOG_BATCH_BYTES = 16_384;

/**
 * Collects the lines of one turn of the event loop into one piece of text: a thread posts it in one message, and lines of several
 * threads never tear each other apart.
 *
 * @param send takes a piece of whole lines
 * @param defer runs its argument at the end of this turn
 */
export function batchLines(send: (lines: string) => void, defer: (action: () => void) => void): LogSink {
  let pending = '';
  const flush = (): void => {
    if (pending === '') return;
    const lines = pending;
    pending = '';
    send(lines);
  };
  return (line) => {
    if (pending === '') defer(flush);
    pending += line;
    if (pending.length >= LOG_BATCH_BYTES) flush();
  };
}
