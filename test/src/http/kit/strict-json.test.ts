import { expect } from 'chai';
import { assert, jsonValue, pre, property } from 'fast-check';
import { JSON_DEPTH_MAX, parseStrictJson } from '../../../../src/http/kit/strict-json.ts';

const parse = (text: string): unknown => parseStrictJson(Buffer.from(text, 'utf8'));
const refused = (errcode: string) => ({ kind: 'refused', errcode, status: 400 });

describe('strict JSON', () => {
  it('parses what JSON.stringify writes', () => {
    assert(
      property(jsonValue({ stringUnit: 'grapheme' }), (value) => {
        const text = JSON.stringify(value);
        pre(!text.includes('__proto__') && !text.includes('\\ud'));
        expect(parse(text)).to.deep.equal({ kind: 'parsed', value: JSON.parse(text) });
      }),
    );
  });

  it('refuses what is not JSON', () => {
    for (const text of ['{', '', 'nope', "{'a':1}", '{"a":1,}', '[1]]', 'NaN', '{"a":1} x'])
      expect(parse(text), text).to.include(refused('M_NOT_JSON'));
  });

  it('refuses what is not UTF-8, and a byte order mark', () => {
    expect(parseStrictJson(Buffer.from([0x22, 0xff, 0x22]))).to.include(refused('M_NOT_JSON'));
    expect(parseStrictJson(Buffer.from([0x22, 0xc0, 0xaf, 0x22]))).to.include(refused('M_NOT_JSON'));
    expect(parse('\ufeff{}')).to.include(refused('M_NOT_JSON'));
    expect(parseStrictJson(Buffer.from('{}', 'utf16le'))).to.include(refused('M_NOT_JSON'));
  });

  it('refuses a key twice in one object, however it is written, and only there', () => {
    for (const text of ['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '[{"x":{"b":[],"c":1,"b":{}}}]'])
      expect(parse(text), text).to.include(refused('M_BAD_JSON'));
    for (const text of [
      '{"a":{"a":{"a":1}}}',
      '[{"a":1},{"a":1}]',
      '{"a":"b:c","b":"\\"x\\":1"}',
      '{"\\\\":":"}',
      '{"b":"\\":"}',
    ])
      expect(parse(text), text).to.include({ kind: 'parsed' });
  });

  it('refuses the key __proto__, escaped or not, and takes it as a value', () => {
    for (const text of ['{"__proto__":{"isAdmin":true}}', '{"a":[{"\\u005f_proto__":1}]}'])
      expect(parse(text), text).to.include(refused('M_BAD_JSON'));
    expect(parse('{"a":"__proto__"}')).to.include({ kind: 'parsed' });
    expect(Object.prototype).not.to.have.property('isAdmin');
  });

  it('takes nesting up to its bound and refuses one level more, however deep it goes', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(parse(nested(JSON_DEPTH_MAX))).to.include({ kind: 'parsed' });
    expect(parse(nested(JSON_DEPTH_MAX + 1))).to.include(refused('M_BAD_JSON'));
    expect(parse('{"a":'.repeat(500_000))).to.include(refused('M_BAD_JSON'));
    expect(parse(`"${'['.repeat(1000)}"`)).to.include({ kind: 'parsed' });
  });

  it('refuses half of a surrogate pair in a key or a value, and numbers that no double holds', () => {
    for (const text of ['{"a":"\\ud800"}', '{"\\udc00":1}', '[1e999]', '[-1e999]'])
      expect(parse(text), text).to.include(refused('M_BAD_JSON'));
    expect(parse('{"a":"\\ud83d\\ude00"}')).to.deep.equal({ kind: 'parsed', value: { a: '😀' } });
  });
});
