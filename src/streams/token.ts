/** A position of one stream as a client holds it. Epoch 0 for durable streams. */
export interface StreamPositionOfClient {
  readonly epoch: number;
  readonly position: number;
}

/** What a client holds between two syncs: a position per stream name. Opaque text on the wire. */
export interface SyncToken {
  readonly positions: Readonly<Record<string, StreamPositionOfClient>>;
}
