import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parse } from 'smol-toml';
import { makeConfigText } from '../../../src/cli/config-template.ts';

const BUILT_IN = readFileSync(new URL('../../../config.toml', import.meta.url), 'utf8');

describe('the configuration file for a new server', () => {
  const text = makeConfigText(BUILT_IN, 'example.org', 'my.toml');

  it('sets the name and nothing else', () => {
    const values = parse(text) as Record<string, Record<string, unknown>>;
    const given = Object.entries(values).flatMap(([section, options]) =>
      Object.keys(options).map((key) => `${section}.${key}`),
    );
    expect(given).to.deep.equal(['server.name']);
    expect(values['server']?.['name']).to.equal('example.org');
  });

  it('is the built-in one as soon as what is switched off is switched on', () => {
    const on = text.replaceAll(/^#(?=[a-z_]+ = )/gm, '').replace('"example.org"', '"localhost"');
    expect(parse(on)).to.deep.equal(parse(BUILT_IN));
  });

  it('says how to go on', () => {
    expect(text).to.match(/^# The configuration of the Matrix homeserver example\.org\./);
    expect(text).to.contain('troupe start --config my.toml');
  });
});
