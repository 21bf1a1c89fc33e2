import type { FileHandle } from 'node:fs/promises';

/** What stands around a file that is a part of an answer. */
export interface AroundFile {
  readonly head: string;
  readonly tail: string;
}

/** An open file, of which a part is to be sent. Whoever has it closes it. */
export class FileBody {
  readonly handle: FileHandle;
  /** The first byte, and how many there are. */
  readonly start: number;
  readonly fileBytes: number;
  /** What is sent before and after them. */
  readonly head: Buffer;
  readonly tail: Buffer;
  /** Of everything that is sent. */
  readonly byteLength: number;

  constructor(handle: FileHandle, start: number, fileBytes: number, around?: AroundFile) {
    this.handle = handle;
    this.start = start;
    this.fileBytes = fileBytes;
    this.head = Buffer.from(around?.head ?? '');
    this.tail = Buffer.from(around?.tail ?? '');
    this.byteLength = this.head.byteLength + fileBytes + this.tail.byteLength;
  }
}
