/** Content that is on disk, and what is known of it: plain data that travels to the owner. */
export interface MediaBlob {
  /** Hex SHA-256 of the content: the name of its file. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** As the uploader said it; null for none. */
  readonly contentType: string | null;
  /** What the first bytes look like; null when nobody knows. */
  readonly sniffedType: string | null;
  /** Null when the uploader gave none. */
  readonly fileName: string | null;
}
