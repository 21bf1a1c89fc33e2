import { expect } from 'chai';
import { parseUsername } from '../../../../../src/http/client/registration/username.ts';

describe('user names', () => {
  for (const name of ['alice', 'a', '0', 'a.b_c=d-e/f+g', 'ALICE']) {
    it(`allows ${name}`, () => {
      expect(parseUsername(name, 'example.org')).to.equal(`@${name.toLowerCase()}:example.org`);
    });
  }

  for (const name of ['', '_alice', '@alice', 'alice:example.org', 'älice', 'a b', 'a\0', 'a!', 'a~']) {
    it(`refuses ${JSON.stringify(name)}`, () => {
      expect(parseUsername(name, 'example.org')).to.deep.include({
        errcode: 'M_INVALID_USERNAME',
        status: 400,
      });
    });
  }

  it('counts the bytes of the whole id', () => {
    const longest = 'a'.repeat(255 - '@:example.org'.length);
    expect(parseUsername(longest, 'example.org')).to.equal(`@${longest}:example.org`);
    expect(parseUsername(`${longest}a`, 'example.org')).to.deep.include({ errcode: 'M_INVALID_USERNAME' });
  });
});
