// Opens the file that holds a bundle: plain JavaScript, as inputs.mjs.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

const FOLDER = join('node_modules', '.cache', 'troupe', 'start');
const CHUNK_BYTES = 1 << 20;
/** The length of the head, in ASCII, and its checksum stand in front of it. */
const PREFIX_BYTES = 24;
const PREFIX = /^(\d{12}) (\d{10})\n$/;
const HEAD_BYTES_MAX = 1 << 20;
const WRITABLE_BY_OTHERS = 0o022;

export const bundleFolder = (root) => join(root, FOLDER);
export const bundleFile = (root) => join(root, FOLDER, 'program.bundle');

export function packBundle(description, parts) {
  let at = 0;
  let checksum = 0;
  const sections = {};
  for (const [name, content] of Object.entries(parts)) {
    sections[name] = [at, content.length];
    at += content.length;
    checksum = crc32(content, checksum);
  }
  const head = Buffer.from(JSON.stringify({ ...description, sections, checksum, sizeBytes: at }));
  const prefix = `${String(head.length).padStart(12, '0')} ${String(crc32(head)).padStart(10, '0')}\n`;
  return [Buffer.from(prefix, 'latin1'), head, ...Object.values(parts)];
}

function readAt(file, position, sizeBytes) {
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  for (let done = 0; done < sizeBytes;) {
    const count = readSync(file, bytes, done, sizeBytes - done, position + done);
    if (count === 0) throw new Error('the file ends too soon');
    done += count;
  }
  return bytes;
}

function isWhole(file, start, { sizeBytes, checksum }) {
  let found = 0;
  for (let at = 0; at < sizeBytes; at += CHUNK_BYTES)
    found = crc32(readAt(file, start + at, Math.min(CHUNK_BYTES, sizeBytes - at)), found);
  return found === checksum;
}

/** Throws, or gives the reason why not, or what is in the file. */
function look(file, expected, user) {
  const { uid, mode, size } = fstatSync(file);
  // What lies in it is run.
  if (user !== undefined && ((uid !== user && uid !== 0) || (mode & WRITABLE_BY_OTHERS) !== 0))
    return 'others could have written the bundle';
  const [, length, checksum] = PREFIX.exec(readAt(file, 0, PREFIX_BYTES).toString('latin1')) ?? [];
  if (length === undefined || Number(length) > HEAD_BYTES_MAX) return 'the bundle is damaged';
  const headBytes = readAt(file, PREFIX_BYTES, Number(length));
  if (crc32(headBytes) !== Number(checksum)) return 'the bundle is damaged';
  const head = JSON.parse(headBytes.toString());
  if (head.fingerprint !== expected) return 'the program has changed since the bundle was made';
  const start = PREFIX_BYTES + headBytes.length;
  if (size !== start + head.sizeBytes || !isWhole(file, start, head)) return 'the bundle is damaged';
  return { file, start, sections: head.sections, addons: head.addons };
}

export function openBundle(path, expected, user) {
  let file;
  try {
    file = openSync(path, 'r');
    const found = look(file, expected, user);
    if (typeof found === 'object') return found;
    closeSync(file);
    return found;
  } catch (error) {
    if (file !== undefined) closeSync(file);
    return error.code === 'ENOENT' ? 'there is no bundle yet' : `the bundle cannot be read: ${error.message}`;
  }
}

export function readSection({ file, start, sections }, name) {
  const section = sections[name];
  return section === undefined ? undefined : readAt(file, start + section[0], section[1]);
}
