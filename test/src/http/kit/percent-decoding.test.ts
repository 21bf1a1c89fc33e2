import { expect } from 'chai';
import {
  QUERY_PARAMETERS_MAX,
  decodeParams,
  parseQueryString,
} from '../../../../src/http/kit/percent-decoding.ts';

describe('percent-decoding', () => {
  it('decodes path parameters exactly once, a slash and a plus included', () => {
    expect(
      decodeParams({ a: '%21room%3Aexample.org', b: 'x%2Fy', c: '1+2', d: '%2525', e: '' }),
    ).to.deep.equal({
      a: '!room:example.org',
      b: 'x/y',
      c: '1+2',
      d: '%25',
      e: '',
    });
  });

  it('refuses broken escapes and escapes that spell no UTF-8, naming the parameter', () => {
    for (const text of ['%', '%2', '%zz', '%ff', '%c0%af', '%ed%a0%80'])
      expect(decodeParams({ roomId: text }), text).to.deep.include({
        errcode: 'M_INVALID_PARAM',
        status: 400,
        error: 'Path parameter "roomId" has a broken percent-escape.',
      });
  });

  it('reads a query string as forms write it', () => {
    expect([
      ...(parseQueryString('a=1&b=x+y%2B&a=2&c&d=&=e&&%C3%A4=%26') as ReadonlyMap<string, string[]>),
    ]).to.deep.equal([
      ['a', ['1', '2']],
      ['b', ['x y+']],
      ['c', ['']],
      ['d', ['']],
      ['', ['e']],
      ['ä', ['&']],
    ]);
  });

  it('refuses a query string with a broken escape or too many parameters', () => {
    expect(parseQueryString('a=%')).to.include({ errcode: 'M_INVALID_PARAM', status: 400 });
    expect(parseQueryString('%zz=1')).to.include({ errcode: 'M_INVALID_PARAM', status: 400 });
    expect(parseQueryString('a&'.repeat(QUERY_PARAMETERS_MAX))).to.include({ errcode: 'M_INVALID_PARAM' });
    expect(parseQueryString('a&'.repeat(QUERY_PARAMETERS_MAX - 1))).to.be.instanceOf(Map);
  });
});
