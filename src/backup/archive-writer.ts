import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import type { Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import { type Pack, pack } from 'tar-stream';

/** Read at once of a file, in bytes. */
const CHUNK_BYTES = 256 * 1024;
/** Low: the server beside us needs the processor more than the archive needs to be small. */
const ZSTD_LEVEL = 3;
const GZIP_LEVEL = 3;
/** Its owner only: keys are inside. */
const MEMBER_MODE = 0o600;

/** How the bytes of an archive are packed. */
export type Compression = 'none' | 'gzip' | 'zstd';

/** How an archive of this name is packed: `.gz`, `.tgz` and `.zst` say so. */
export function compressionOf(file: string): Compression {
  if (/\.(gz|tgz)$/i.test(file)) return 'gzip';
  return /\.(zst|tzst)$/i.test(file) ? 'zstd' : 'none';
}

function compressor(compression: Compression): Transform[] {
  if (compression === 'gzip') return [createGzip({ level: GZIP_LEVEL })];
  if (compression === 'none') return [];
  return [createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } })];
}

/** A file that becomes a member. */
export interface MemberFile {
  /** At its beginning; closed when it was read. */
  readonly handle: FileHandle;
  readonly sizeBytes: number;
}

type Sink = ReturnType<Pack['entry']>;

/** A tar archive that is being written, one member after the other, with what the slowest part can take. */
export interface ArchiveWriter {
  addText(name: string, text: string): Promise<void>;
  /**
   * Adds a file of exactly `sizeBytes`.
   *
   * @returns its hash, hex SHA-256
   * @throws (rejection) when it cannot be read or has another size: the archive is of no use then
   */
  addFile(name: string, file: MemberFile, onBytes?: (bytes: number) => void): Promise<string>;
  /** Ends the archive, and resolves when all of it has been handed on. */
  finish(): Promise<void>;
  /** Gives it up. */
  abort(reason: Error): void;
}

async function addFileTo(
  member: Sink,
  { handle, sizeBytes: expectedBytes }: MemberFile,
  onBytes: (bytes: number) => void,
  failed: Promise<never>,
): Promise<string> {
  const hash = createHash('sha256');
  const added = once(member, 'finish');
  // It is awaited at the end.
  added.catch(() => undefined);
  let sizeBytes = 0;
  for await (const chunk of handle.createReadStream({ highWaterMark: CHUNK_BYTES })) {
    const bytes = chunk as Buffer;
    sizeBytes += bytes.length;
    if (sizeBytes > expectedBytes) break;
    hash.update(bytes);
    if (!member.write(bytes)) await Promise.race([once(member, 'drain'), failed]);
    onBytes(bytes.length);
  }
  if (sizeBytes !== expectedBytes)
    throw new Error(`a file has changed its size while it was read: it had ${expectedBytes} bytes`);
  member.end(null);
  await Promise.race([added, failed]);
  return hash.digest('hex');
}

/**
 * Begins an archive.
 *
 * @param to where its bytes go
 * @param options `now` is for the time of the members, milliseconds since the Unix epoch; `endsStream`: {@link ArchiveWriter.finish} ends the stream
 */
export function createArchiveWriter(
  to: Writable,
  options: { readonly compression: Compression; readonly now: number; readonly endsStream: boolean },
): ArchiveWriter {
  const { compression, now, endsStream } = options;
  const archive = pack();
  const done = pipeline([archive as unknown as NodeJS.ReadableStream, ...compressor(compression), to], {
    end: endsStream,
  });
  // It is awaited at the end; until then a failure shows at whoever writes.
  done.catch(() => undefined);
  const failed = done.then(
    () => new Promise<never>(() => undefined),
    (error: unknown) => Promise.reject(error as Error),
  );
  failed.catch(() => undefined);
  const headerOf = (name: string, size: number) => ({
    name,
    size,
    mode: MEMBER_MODE,
    mtime: new Date(now),
  });
  return {
    async addText(name, text) {
      const bytes = Buffer.from(text);
      const added = new Promise<void>((resolve, reject) => {
        archive.entry(headerOf(name, bytes.length), bytes, (error) =>
          error === null || error === undefined ? resolve() : reject(error),
        );
      });
      await Promise.race([added, failed]);
    },
    addFile(name, file, onBytes = () => undefined) {
      return addFileTo(archive.entry(headerOf(name, file.sizeBytes)), file, onBytes, failed);
    },
    async finish() {
      archive.finalize();
      await done;
    },
    abort(reason) {
      archive.destroy(reason);
    },
  };
}
