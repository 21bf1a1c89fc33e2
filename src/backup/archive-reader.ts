import { createReadStream } from 'node:fs';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { open } from 'node:fs/promises';
import { extract } from 'tar-stream';
import { ArchiveRefused } from './manifest.ts';
import type { Compression } from './archive-writer.ts';

/** Read at once of a file, in bytes. */
const CHUNK_BYTES = 256 * 1024;
const MAGIC_BYTES = 4;
const GZIP_MAGIC = '1f8b';
const ZSTD_MAGIC = '28b52ffd';

/** One member of an archive. Its bytes are to be read to their end before the next member comes. */
export interface ArchiveMember {
  readonly name: string;
  readonly sizeBytes: number;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** By its first bytes, whatever it is called. */
async function compressionOfFile(file: string): Promise<Compression> {
  const handle = await open(file, 'r');
  try {
    const { buffer } = await handle.read(Buffer.alloc(MAGIC_BYTES), 0, MAGIC_BYTES, 0);
    const magic = buffer.toString('hex');
    if (magic.startsWith(GZIP_MAGIC)) return 'gzip';
    return magic === ZSTD_MAGIC ? 'zstd' : 'none';
  } finally {
    await handle.close();
  }
}

function decompressor(compression: Compression): Transform[] {
  if (compression === 'gzip') return [createGunzip()];
  return compression === 'zstd' ? [createZstdDecompress()] : [];
}

/** What the unpacking of damaged bytes says, in whatever words. */
function isDamage(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return error instanceof Error && (typeof code !== 'string' || !/^E[A-Z]+$/.test(code));
}

function refuseDamage(file: string, error: unknown): unknown {
  if (error instanceof ArchiveRefused || !isDamage(error)) return error;
  const reason = (error as Error).message;
  return new ArchiveRefused(file, `it is no backup, damaged, or cut short (${reason}). Take another one.`);
}

async function* translated(file: string, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (error) {
    throw refuseDamage(file, error);
  }
}

/**
 * Reads an archive from its beginning to its end, one member after the other, in bounded memory.
 *
 * @param onBytes told of every piece of the file that was read
 * @throws ArchiveRefused when it is no tar archive, damaged or cut short within a member; an error with a `code` when it cannot be read
 */
export async function* readArchive(
  file: string,
  onBytes: (bytes: number) => void = () => undefined,
): AsyncGenerator<ArchiveMember> {
  const compression = await compressionOfFile(file);
  const members = extract();
  const source = createReadStream(file, { highWaterMark: CHUNK_BYTES });
  source.on('data', (chunk) => onBytes(chunk.length));
  const done = pipeline([source, ...decompressor(compression), members as unknown as NodeJS.WritableStream]);
  // It is told to whoever reads, by the members.
  done.catch(() => undefined);
  try {
    for await (const member of members) {
      const { name, size, type } = member.header;
      if (type !== 'file') throw new ArchiveRefused(file, `it has a member "${name}" that is no file`);
      yield { name, sizeBytes: size, bytes: translated(file, member as AsyncIterable<Uint8Array>) };
    }
    await done;
  } catch (error) {
    throw refuseDamage(file, error);
  } finally {
    source.destroy();
  }
}
