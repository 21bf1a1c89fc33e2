/** The largest room or session id, in bytes. */
export const ID_BYTES_MAX = 255;

/** The key of a session that is to be backed up. */
export interface NewSession {
  readonly roomId: string;
  readonly sessionId: string;
  readonly firstMessageIndex: number;
  readonly forwardedCount: number;
  readonly isVerified: boolean;
  /** JSON text. */
  readonly sessionData: string;
}
