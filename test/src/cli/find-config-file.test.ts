import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { findConfigFile } from '../../../src/cli/read-config.ts';
import { PROGRAM_FOLDER } from '../../../src/kit/program-files.ts';

describe('the configuration file that is used', () => {
  let folder = '';

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'config-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is the one that is named, also when it is not there: that is said when it is read', () => {
    writeFileSync(join(folder, 'config.toml'), '');
    expect(findConfigFile('/nowhere/my.toml', folder)).to.equal('/nowhere/my.toml');
  });

  it('is config.toml in the current folder when none is named', () => {
    expect(findConfigFile(undefined, folder)).to.equal(undefined);
    writeFileSync(join(folder, 'config.toml'), '');
    expect(findConfigFile(undefined, folder)).to.equal(join(folder, 'config.toml'));
  });

  it('is not the file of the defaults, which lies in the current folder of a clone', () => {
    expect(findConfigFile(undefined, PROGRAM_FOLDER)).to.equal(undefined);
  });
});
