import { expect } from 'chai';
import { assert, jsonValue, pre, property } from 'fast-check';
import type { Json } from '../../../../src/kit/json.ts';
import { canonicalJson } from '../../../../src/matrix/events/canonical-json.ts';
import { canonicalText } from '../../../../src/matrix/events/canonical-text.ts';

describe('canonical JSON of a text', () => {
  it('is that of the value, whatever the text looks like', () => {
    assert(
      property(jsonValue({ stringUnit: 'binary' }), (value) => {
        const text = JSON.stringify(value);
        // Numbers are the one thing that it writes in another way.
        pre(!/[0-9]e[+-]/.test(text));
        const read = JSON.parse(text) as Json;
        expect(canonicalText(text)).to.equal(canonicalJson(read, 'lenient'));
        expect(canonicalText(JSON.stringify(read, null, '\t '))).to.equal(canonicalJson(read, 'lenient'));
      }),
    );
  });

  it('keeps numbers as they were written', () => {
    expect(canonicalText('{ "b": [1.0, 1e5, -0, 12345678901234567890], "a": 1E400 }')).to.equal(
      '{"a":1E400,"b":[1.0,1e5,-0,12345678901234567890]}',
    );
  });

  it('takes the last of a key that stands there twice, however it is written', () => {
    expect(canonicalText('{"a":1,"b":{"c":1,"c":[]},"\\u0061":{"x":null}}')).to.equal(
      '{"a":{"x":null},"b":{"c":[]}}',
    );
  });

  it('orders keys by code points and unescapes what needs no escape', () => {
    expect(canonicalText('{"\\ud83d\\ude00":1,"\\uffee":2,"\\/":"\\u00e9\\n"}')).to.equal(
      '{"/":"é\\n","\uffee":2,"😀":1}',
    );
  });

  it('writes what no stack would hold, in time', () => {
    const depth = 100_000;
    const text = '{"a": ['.repeat(depth) + '1' + '] }'.repeat(depth);
    expect(canonicalText(text)).to.equal('{"a":['.repeat(depth) + '1' + ']}'.repeat(depth));
  });
});
