import type { FileHandle } from 'node:fs/promises';

/** An open file, of which a part is to be sent. Whoever has it closes it. */
export class FileBody {
  readonly handle: FileHandle;
  /** The first byte, and how many there are. */
  readonly start: number;
  readonly byteLength: number;

  constructor(handle: FileHandle, start: number, byteLength: number) {
    this.handle = handle;
    this.start = start;
    this.byteLength = byteLength;
  }
}
