import { expect } from 'chai';
import { assert, jsonValue, pre, property } from 'fast-check';
import { parseServerJson } from '../../../../src/http/kit/server-json.ts';
import type { Json } from '../../../../src/kit/json.ts';
import { JSON_NESTING_MAX } from '../../../../src/matrix/events/canonical-json.ts';

const parse = (text: string) => parseServerJson(Buffer.from(text, 'utf8'));
const refused = (errcode: string) => ({ kind: 'refused', errcode, status: 400 });
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);

describe('JSON of other servers', () => {
  it('is read as JSON.parse reads it', () => {
    assert(
      property(jsonValue(), (value) => {
        const text = JSON.stringify(value);
        pre(!text.includes('__proto__') && !text.includes('\\ud'));
        const read = JSON.parse(text) as Json;
        expect(parse(text)).to.deep.equal({ kind: 'parsed', value: read, dropped: 0, signed: read, text });
      }),
    );
  });

  it('drops the broken items of its lists and nothing else', () => {
    const broken = [
      nested(JSON_NESTING_MAX + 1),
      '['.repeat(200_000) + ']'.repeat(200_000),
      '{"a":{"__proto__":{"b":1}}}',
      '{"a":"\\ud800"}',
      '{"\\udc00":1}',
      '{"a":[1e999]}',
    ];
    for (const item of broken) {
      const text = `{"pdus":[{"n":1},${item},{"n":2}],"edus":[],"origin":"o"}`;
      const parsed = parse(text);
      expect(parsed, item.slice(0, 40)).to.deep.include({
        kind: 'parsed',
        value: { pdus: [{ n: 1 }, { n: 2 }], edus: [], origin: 'o' },
        dropped: 1,
        text,
      });
    }
    const deep = `{"pdus":[${nested(JSON_NESTING_MAX)}]}`;
    expect(parse(deep), 'as deep as it may be').to.deep.include({ kind: 'parsed', dropped: 0 });
  });

  it('refuses what is broken elsewhere', () => {
    for (const text of [
      `{"pdus":[],"content":{"x":${nested(JSON_NESTING_MAX)}}}`,
      '{"pdus":[],"__proto__":{}}',
      '{"content":{"a":"\\ud800"}}',
      '[1e999]',
      nested(5_000),
    ])
      expect(parse(text), text.slice(0, 40)).to.include(refused('M_BAD_JSON'));
  });

  it('takes the last of a key that stands there twice', () => {
    expect(parse('{"pdus":[{"a":1,"a":2}]}')).to.deep.include({ value: { pdus: [{ a: 2 }] }, dropped: 0 });
  });

  it('refuses what is not JSON in UTF-8', () => {
    for (const text of ['{', '', 'nope', '{"a":1,}', '\ufeff{}', '{"a":1} x'])
      expect(parse(text), text).to.include(refused('M_NOT_JSON'));
    expect(parseServerJson(Buffer.from([0x22, 0xff, 0x22]))).to.include(refused('M_NOT_JSON'));
  });
});
