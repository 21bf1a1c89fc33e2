import type { Fact } from './fact.ts';
import type { StreamRow } from './stream.ts';

/** How much one ROWS message carries, unless one position alone carries more: a position is never split. */
export const MESSAGE_ROWS_MAX = 100;
export const MESSAGE_INVALIDATIONS_MAX = 1_000;
export const MESSAGE_SIZE_BYTES_MAX = 512 * 1_024;

/** What one position holds: its rows and what they make untrue. Without rows when the position was used for nothing. */
export interface PositionContent {
  readonly position: number;
  readonly rows: readonly unknown[];
  readonly invalidations: readonly Fact[];
}

/** What goes into one message: whole positions, ascending. */
export interface MessageBatch {
  /** The position after it. */
  readonly position: number;
  readonly rows: readonly StreamRow<unknown>[];
  readonly invalidations: readonly Fact[];
}

/** The size of a position's content as text: near enough to its bytes in a message. */
function sizeOf(content: PositionContent): number {
  return JSON.stringify(content.rows).length + JSON.stringify(content.invalidations).length;
}

/**
 * Packs positions into as few messages as the bounds allow; every fact rides with the rows that imply it.
 *
 * @param contents ascending by position
 */
export function packMessages(contents: readonly PositionContent[]): readonly MessageBatch[] {
  const batches: MessageBatch[] = [];
  let rows: StreamRow<unknown>[] = [];
  let invalidations: Fact[] = [];
  let size = 0;
  let position: number | null = null;
  const flush = (): void => {
    if (position !== null) batches.push({ position, rows, invalidations });
    rows = [];
    invalidations = [];
    size = 0;
  };
  for (const content of contents) {
    // Measuring costs a serialisation, so that the usual single position goes unmeasured.
    const added = contents.length === 1 ? 0 : sizeOf(content);
    const isOver =
      rows.length + content.rows.length > MESSAGE_ROWS_MAX ||
      invalidations.length + content.invalidations.length > MESSAGE_INVALIDATIONS_MAX ||
      size + added > MESSAGE_SIZE_BYTES_MAX;
    if (isOver && rows.length > 0) flush();
    for (const row of content.rows) rows.push({ position: content.position, row });
    for (const fact of content.invalidations) invalidations.push(fact);
    size += added;
    position = content.position;
  }
  flush();
  return batches;
}
