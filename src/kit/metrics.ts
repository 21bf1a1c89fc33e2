/** A figure that only grows. */
export interface Counter {
  add(amount?: number): void;
}

/** A figure that is set. */
export interface Gauge {
  set(value: number): void;
  read(): number;
}

/** A distribution of lengths of time. */
export interface Histogram {
  /** @param valueMs a length of time in milliseconds */
  record(valueMs: number): void;
}

/** A short text, such as a last error; cut at {@link METRIC_TEXT_BYTES_MAX} bytes of UTF-8. */
export interface TextGauge {
  set(text: string): void;
}

export const METRIC_TEXT_BYTES_MAX = 240;

/**
 * The figures of one thread, kept in shared memory so that the inspector can read them while the thread is blocked.
 * Asking twice for one name gives the same figure. Names are dotted: `actor.rooms.handled`, `stream.events.published`,
 * `cache.members.hits`.
 */
export interface Metrics {
  counter(name: string): Counter;
  gauge(name: string): Gauge;
  histogram(name: string): Histogram;
  text(name: string): TextGauge;
}
