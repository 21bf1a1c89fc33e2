import { chmodSync, closeSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type OpenBundle, openBundle, packBundle, readSection } from '../../../src/start/bundle-file.mjs';

const USER = process.geteuid?.();
const PROGRAM = Buffer.alloc(3 << 20, 'code of a program, ');

describe('the file of a bundle', () => {
  let folder: string;
  let file: string;
  let opened: OpenBundle | string;
  const open = (fingerprint = 'a', user = USER): OpenBundle | string =>
    (opened = openBundle(file, fingerprint, user));
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'troupe-bundle-'));
    file = join(folder, 'program.bundle');
    opened = '';
    const pieces = packBundle(
      { fingerprint: 'a', addons: { sharp: 'sharp.node' } },
      { 'host.js': Buffer.from('host'), 'program.js': PROGRAM, empty: Buffer.of() },
    );
    writeFileSync(file, Buffer.concat(pieces), { mode: 0o644 });
  });
  afterEach(() => {
    if (typeof opened === 'object') closeSync(opened.file);
    rmSync(folder, { recursive: true, force: true });
  });

  it('gives its sections, also when it was replaced or removed meanwhile', () => {
    const bundle = open() as OpenBundle;
    rmSync(file);
    writeFileSync(file, 'something else');
    expect(readSection(bundle, 'host.js')?.toString()).to.equal('host');
    expect(readSection(bundle, 'program.js')?.equals(PROGRAM)).to.equal(true);
    expect(readSection(bundle, 'empty')).to.have.length(0);
    expect(readSection(bundle, 'texts.json')).to.equal(undefined);
    expect(bundle.addons).to.deep.equal({ sharp: 'sharp.node' });
  });

  it('is not opened when the program has changed, or where there is none', () => {
    expect(open('b')).to.equal('the program has changed since the bundle was made');
    rmSync(file);
    expect(open()).to.equal('there is no bundle yet');
  });

  it('is not opened when it was cut off anywhere, or when any part of it is another', () => {
    const whole = readFileSync(file);
    for (const length of [0, 10, 24, 100, PROGRAM.length, whole.length - 1]) {
      writeFileSync(file, whole.subarray(0, length));
      expect(open(), `${length} bytes`).to.match(/^the bundle (is damaged|cannot be read)/);
    }
    for (const at of [3, 20, 40, 60, whole.length - PROGRAM.length - 2, whole.length - 1]) {
      const damaged = Buffer.from(whole);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      writeFileSync(file, damaged);
      expect(open(), `byte ${at}`).to.match(/^the bundle (is damaged|cannot be read)/);
    }
    writeFileSync(file, Buffer.concat([whole, Buffer.from('x')]));
    expect(open()).to.equal('the bundle is damaged');
  });

  it('is not opened when others could have written it', function () {
    if (USER === undefined) this.skip();
    chmodSync(file, 0o664);
    expect(open()).to.equal('others could have written the bundle');
    chmodSync(file, 0o644);
    if (USER !== 0) expect(open('a', USER + 1)).to.equal('others could have written the bundle');
  });
});
