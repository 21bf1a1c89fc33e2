import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { seededRandom } from '../../../src/kit/random.ts';
import {
  blobPath,
  createBlobWriter,
  HEAD_BYTES_MAX,
  isStorageFull,
  sweepTemporaryFiles,
} from '../../../src/media/blob-store.ts';

describe('the blob store', () => {
  let folder: string;
  const random = seededRandom(7);
  const temporary = (): string[] => readdirSync(join(folder, 'temporary')).toSorted();
  const write = async (text: string) => {
    const writer = await createBlobWriter(folder, random);
    await writer.write(Buffer.from(text));
    return writer;
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'troupe-blobs-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('names a file by the hash of its content', async () => {
    const writer = await createBlobWriter(folder, random);
    const bytes = Buffer.from(random.bytes(10_000));
    for (let at = 0; at < bytes.length; at += 1_000) await writer.write(bytes.subarray(at, at + 1_000));
    expect(Buffer.from(writer.head()).equals(bytes.subarray(0, HEAD_BYTES_MAX))).to.equal(true);
    const placed = await writer.place();
    expect(placed.sha256).to.equal(createHash('sha256').update(bytes).digest('hex'));
    expect(placed.sizeBytes).to.equal(10_000);
    expect(readFileSync(blobPath(folder, placed.sha256)).equals(bytes)).to.equal(true);
    expect(blobPath(folder, placed.sha256)).to.equal(join(folder, placed.sha256.slice(0, 2), placed.sha256));
    await placed.settle();
    await writer.discard();
    expect(temporary()).to.deep.equal([]);
  });

  it('keeps one file for the same content twice', async () => {
    const [one, two] = await Promise.all([write('same'), write('same')]);
    const placed = [await one.place(), await two.place()];
    expect(placed[0]?.sha256).to.equal(placed[1]?.sha256);
    for (const { settle } of placed) await settle();
    expect(temporary()).to.deep.equal([]);
    expect(readdirSync(join(folder, placed[0]?.sha256.slice(0, 2) ?? ''))).to.have.lengthOf(1);
  });

  it('throws away what is discarded', async () => {
    const writer = await write('half');
    expect(temporary()).to.have.lengthOf(1);
    await writer.discard();
    await writer.discard();
    expect(temporary()).to.deep.equal([]);
  });

  it('sweeps what a crash has left: parts, and whole files without a row', async () => {
    // A crash in the middle of a file, one before the row, one after the row, and a foreign file.
    const open = await write('in the middle');
    const orphan = await (await write('no row')).place();
    const used = await (await write('has a row')).place();
    const settled = await (await write('settled')).place();
    await settled.settle();
    writeFileSync(join(folder, 'temporary', 'foreign'), '');
    const swept = await sweepTemporaryFiles(folder, (sha256) => Promise.resolve(sha256 === used.sha256));
    expect(swept).to.deep.equal({ parts: 1, orphans: 1 });
    expect(temporary()).to.deep.equal([]);
    expect(existsSync(blobPath(folder, orphan.sha256))).to.equal(false);
    for (const { sha256 } of [used, settled]) expect(existsSync(blobPath(folder, sha256))).to.equal(true);
    await open.discard();
    expect(await sweepTemporaryFiles(folder, () => Promise.resolve(false))).to.deep.equal({
      parts: 0,
      orphans: 0,
    });
  });

  it('sweeps the claim of a file that never got its place', async () => {
    const placed = await (await write('claimed')).place();
    rmSync(blobPath(folder, placed.sha256));
    expect(await sweepTemporaryFiles(folder, () => Promise.resolve(false))).to.deep.equal({
      parts: 0,
      orphans: 0,
    });
    expect(temporary()).to.deep.equal([]);
  });

  it('knows when there is no room', () => {
    expect(isStorageFull(Object.assign(new Error('x'), { code: 'ENOSPC' }))).to.equal(true);
    expect(isStorageFull(Object.assign(new Error('x'), { code: 'EIO' }))).to.equal(false);
  });
});
