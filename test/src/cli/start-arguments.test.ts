import { expect } from 'chai';
import { readStartArguments } from '../../../src/cli/start-arguments.ts';

describe('the arguments of a start', () => {
  it('are none, or a configuration file, with or without the word "start"', () => {
    expect(readStartArguments([])).to.deep.equal({ configFile: undefined });
    for (const args of [['--config', 'a.toml'], ['--config=a.toml'], ['start', '--config', 'a.toml']])
      expect(readStartArguments(args), args.join(' ')).to.deep.equal({ configFile: 'a.toml' });
  });

  it('leave everything else to the parser of the commands', () => {
    for (const args of [
      ['--help'],
      ['start', '--help'],
      ['--config'],
      ['--config='],
      ['--config', '--help'],
      ['--config', 'a.toml', 'user', 'list'],
      ['--config=a.toml', 'user', 'list'],
      ['user', 'list'],
      ['x'],
    ])
      expect(readStartArguments(args), args.join(' ')).to.equal(null);
  });
});
