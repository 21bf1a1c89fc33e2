/** An ed25519 key of this server. */
export interface ServerKey {
  /** `ed25519:…` */
  readonly keyId: string;
  /** The 32-byte seed. */
  readonly seed: Uint8Array;
}
