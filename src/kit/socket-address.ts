import { closeSync, constants, openSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

/** The longest address of a Unix domain socket in bytes, without its final NUL: 108 bytes on Linux, 104 on the BSDs and macOS. */
const ADDRESS_BYTES_MAX = { linux: 107, others: 103 } as const;

/** A Unix domain socket by a path that is short enough. */
export interface SocketAddress {
  readonly path: string;
  /** Lets go of what keeps the path short; it means nothing afterwards. */
  close(): void;
}

/** The socket's path is longer than an address may be. */
export class SocketPathTooLong extends Error {
  constructor(path: string, most: number) {
    super(
      `the path ${path} is too long for a socket, which has at most ${most} bytes: use a shorter data folder`,
    );
    this.name = 'SocketPathTooLong';
  }
}

/**
 * Finds a path for a Unix domain socket in a folder: addresses are shorter than paths may be, and what is too long is cut off by some systems
 * without a word. A long one is named relative to the working folder, or (Linux) by way of the open folder.
 *
 * @throws SocketPathTooLong where there is no way; an error with a `code` when the folder cannot be opened
 */
export function openSocketAddress(folder: string, name: string, platform: NodeJS.Platform): SocketAddress {
  const isLinux = platform === 'linux';
  const most = isLinux ? ADDRESS_BYTES_MAX.linux : ADDRESS_BYTES_MAX.others;
  const path = resolve(folder, name);
  const short = [path, relative('', path)].find((each) => Buffer.byteLength(each) <= most);
  if (short !== undefined) return { path: short, close: () => undefined };
  const viaFolder = (descriptor: number): string => join('/proc/self/fd', String(descriptor), name);
  // As many digits as a descriptor can have.
  if (!isLinux || Buffer.byteLength(viaFolder(Number.MAX_SAFE_INTEGER)) > most)
    throw new SocketPathTooLong(path, most);
  const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  return { path: viaFolder(descriptor), close: () => closeSync(descriptor) };
}
