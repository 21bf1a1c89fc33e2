import { expect } from 'chai';
import { refuseWebPages } from '../../../../src/http/kit/local-guard.ts';

describe('local guard', () => {
  const allowed = [
    { host: '127.0.0.1:8009' },
    { host: 'localhost:8009' },
    { host: '[::1]:8009' },
    { host: 'localhost:8009', origin: 'http://localhost:8009' },
  ];
  for (const headers of allowed) {
    it(`lets ${JSON.stringify(headers)} pass`, () => {
      expect(refuseWebPages(headers)).to.equal(null);
    });
  }

  const refused = [
    { host: '127.0.0.1:8009', origin: 'https://evil.example' },
    { host: '127.0.0.1:8009', origin: 'http://localhost:3000' },
    { host: '127.0.0.1:8009', origin: 'null' },
    { host: 'rebound.example:8009' },
    { host: '127.0.0.1.evil.example:8009' },
    {},
  ];
  for (const headers of refused) {
    it(`refuses ${JSON.stringify(headers)}`, () => {
      expect(refuseWebPages(headers)).to.include({ errcode: 'M_FORBIDDEN', status: 403 });
    });
  }
});
