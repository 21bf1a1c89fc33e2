/** What a long command is doing, in the words that are shown. */
export interface Progress {
  readonly what: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

export type OnProgress = (progress: Progress) => void;

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
const UNIT_STEP = 1_024;

/** Bytes for people: `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= UNIT_STEP && unit < UNITS.length - 1) {
    value /= UNIT_STEP;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${UNITS[unit]}`;
}
