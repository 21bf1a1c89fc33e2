import { expect } from 'chai';
import {
  AVATAR_URL_BYTES_MAX,
  checkFieldName,
  DISPLAYNAME_BYTES_MAX,
  parseFieldValue,
} from '../../../../../src/http/client/profile/profile-values.ts';

describe('profile values', () => {
  it('knows the names of fields', () => {
    for (const name of ['displayname', 'avatar_url', 'm.tz', 'org.example.job_title']) {
      expect(checkFieldName(name), name).to.equal(undefined);
    }
    for (const name of ['', 'job', 'Org.example', 'org..x', 'org.', '__proto__']) {
      expect(checkFieldName(name), name).to.deep.include({ errcode: 'M_INVALID_PARAM' });
    }
    expect(checkFieldName(`a.${'b'.repeat(254)}`)).to.deep.include({ errcode: 'M_KEY_TOO_LARGE' });
  });

  it('takes an empty name or avatar away', () => {
    expect(parseFieldValue('displayname', '')).to.deep.equal({ kind: 'value', valueJson: null });
    expect(parseFieldValue('avatar_url', '')).to.deep.equal({ kind: 'value', valueJson: null });
    expect(parseFieldValue('org.example.x', '')).to.deep.equal({ kind: 'value', valueJson: '""' });
  });

  it('takes any JSON in fields of others, a null too', () => {
    expect(parseFieldValue('org.example.x', null)).to.deep.equal({ kind: 'value', valueJson: 'null' });
    expect(parseFieldValue('org.example.x', [1])).to.deep.equal({ kind: 'value', valueJson: '[1]' });
  });

  it('refuses what is no text or too long', () => {
    expect(parseFieldValue('displayname', 7)).to.deep.include({ errcode: 'M_INVALID_PARAM' });
    expect(parseFieldValue('m.tz', null)).to.deep.include({ errcode: 'M_INVALID_PARAM' });
    const name = 'ä'.repeat(DISPLAYNAME_BYTES_MAX / 2);
    expect(parseFieldValue('displayname', name)).to.deep.include({ kind: 'value' });
    expect(parseFieldValue('displayname', `${name}a`)).to.deep.include({ errcode: 'M_INVALID_PARAM' });
    const url = 'a'.repeat(AVATAR_URL_BYTES_MAX + 1);
    expect(parseFieldValue('avatar_url', url)).to.deep.include({ errcode: 'M_INVALID_PARAM' });
  });
});
