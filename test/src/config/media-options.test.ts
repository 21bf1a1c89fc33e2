import { expect } from 'chai';
import { testConfig } from '../../actors/accounts/accounts-world.ts';

describe('the options of media', () => {
  it('have defaults that reach no private network and serve nobody without a token', () => {
    const { media, rateLimits } = testConfig('data');
    expect(media).to.deep.equal({
      maxUploadSize: 104_857_600,
      maxRemoteSize: 104_857_600,
      remoteCacheSize: 10_737_418_240,
      allowLegacy: false,
      urlPreviews: true,
      urlPreviewDeny: [],
      urlPreviewAllow: [],
    });
    expect(rateLimits.media).to.deep.equal({ perSecond: 50, burst: 300 });
  });

  it('take networks, and nothing that looks like one', () => {
    const networks = '["192.0.2.0/24", "2001:db8::/32", "::1/128"]';
    const { media } = testConfig('data', { TROUPE_MEDIA_URL_PREVIEW_DENY: networks });
    expect(media.urlPreviewDeny).to.deep.equal(JSON.parse(networks));
    for (const wrong of [
      '["192.0.2.0"]',
      '["192.0.2.0/33"]',
      '["::1/129"]',
      '["example.org/8"]',
      '"10.0.0.0/8"',
      '[1]',
    ])
      expect(() => testConfig('data', { TROUPE_MEDIA_URL_PREVIEW_DENY: wrong }), wrong).to.throw(
        'a list of networks',
      );
  });

  it('take sizes in whole bytes', () => {
    for (const wrong of ['0', '-1', '1.5', '"50M"'])
      expect(() => testConfig('data', { TROUPE_MEDIA_MAX_UPLOAD_SIZE: wrong }), wrong).to.throw(
        'a number of bytes',
      );
  });
});
