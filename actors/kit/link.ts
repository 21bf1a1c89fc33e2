/**
 * What travels from one thread to another in one go: first the moment of sending (`clock.monotonic()`), then for each envelope
 * {@link ENVELOPE_WIDTH} places: head (kind + {@link KINDS} × slot of the actor on its thread), ask id, name or reason, payload. One flat list of
 * primitives costs the structured clone least.
 */
export type Batch = unknown[];

export const ENVELOPE_WIDTH = 4;
export const KINDS = 4;
/** `[TELL + KINDS × slot, 0, message, input]` */
export const TELL = 0;
/** `[ASK + KINDS × slot, ask id, message, input]` */
export const ASK = 1;
/** `[ANSWER, ask id, '', output]` */
export const ANSWER = 2;
/** `[FAILURE, ask id, reason, detail]` */
export const FAILURE = 3;

/**
 * One end of the connection between two threads.
 *
 * What the kit needs of it: batches arrive in the order in which they were posted, each once, as structured clones, never within
 * `post`; when the other end closes or its thread dies, `closed` is called once, after the batches that still arrive. Batches
 * that are on their way when a thread dies may be lost. A simulation brings its own, with delays between the two ends.
 */
export interface Link {
  /**
   * Sends a batch. Posting on a closed link does nothing.
   *
   * @throws DataCloneError when something in it cannot be cloned; then nothing was sent
   */
  post(batch: Batch): void;
  /** Begins to deliver what arrives. Called once. */
  open(receive: (batch: Batch) => void, closed: () => void): void;
  /** Closes both ends. */
  close(): void;
}

/** One end of a channel as a {@link ThreadPlatform} makes it and `openLink` of the receiving thread understands it. */
export type LinkEnd = unknown;
