import { expect } from 'chai';
import { array, assert, asyncProperty, constantFrom, integer } from 'fast-check';
import {
  boundaryOf,
  MultipartBroken,
  readMultipart,
} from '../../../../src/federation/media/multipart-reader.ts';

const BOUNDARY = 'b0undary';

async function* pieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let index = 0; at < bytes.length; index += 1) {
    const size = sizes[index % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
    await Promise.resolve();
  }
}

async function read(bytes: Buffer, sizes: readonly number[] = [7]) {
  const parts: { headers: Record<string, string>; content: Buffer }[] = [];
  for await (const item of readMultipart(pieces(bytes, sizes), BOUNDARY)) {
    if (item.kind === 'part') parts.push({ headers: { ...item.headers }, content: Buffer.alloc(0) });
    const last = parts.at(-1);
    if (item.kind === 'bytes' && last !== undefined) last.content = Buffer.concat([last.content, item.bytes]);
  }
  return parts;
}

function written(contents: readonly Buffer[], head = 'Content-Type: a/b\r\n'): Buffer {
  const parts = contents.flatMap((content) => [Buffer.from(`\r\n--${BOUNDARY}\r\n${head}\r\n`), content]);
  return Buffer.concat([...parts, Buffer.from(`\r\n--${BOUNDARY}--\r\n`)]).subarray(2);
}

async function outcome(bytes: Buffer): Promise<string> {
  try {
    return `${(await read(bytes)).length} parts`;
  } catch (error) {
    if (error instanceof MultipartBroken) return 'broken';
    throw error;
  }
}

describe('the reader of multipart bodies', () => {
  it('gives every part as it was written, however the body is cut', async () => {
    // Contents that look like the beginning of a delimiter are the ones to fear.
    const content = array(constantFrom('\r', '\n', '-', '--b0', '\r\n--b0undar', 'x', ''), {
      maxLength: 8,
    }).map((texts) => Buffer.from(texts.join('')));
    await assert(
      asyncProperty(
        array(content, { minLength: 1, maxLength: 3 }),
        array(integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
        async (contents, sizes) => {
          const parts = await read(written(contents), sizes);
          expect(parts.map((part) => part.content.toString())).to.deep.equal(contents.map(String));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('knows headers, folded ones and none, and a part whose delimiter comes at once', async () => {
    const [folded] = await read(written([Buffer.from('x')], 'A: one\r\n two\r\nContent-TYPE: b\r\n'));
    expect(folded?.headers).to.deep.equal({ a: 'one two', 'content-type': 'b' });
    expect((await read(written([Buffer.from('x')], '')))[0]).to.deep.equal({
      headers: {},
      content: Buffer.from('x'),
    });
    const hasty = Buffer.from(`preamble\r\n--${BOUNDARY}\r\nLocation: https://x\r\n\r\n--${BOUNDARY}--`);
    expect(await read(hasty)).to.deep.equal([
      { headers: { location: 'https://x' }, content: Buffer.alloc(0) },
    ]);
  });

  it('says when a body is broken', async () => {
    const whole = written([Buffer.from('content')]);
    expect(await outcome(whole)).to.equal('1 parts');
    for (let length = 0; length < whole.length - 2; length += 5)
      expect(await outcome(whole.subarray(0, length)), String(length)).to.equal('broken');
    expect(await outcome(Buffer.alloc(100_000, 'x'))).to.equal('broken');
    expect(await outcome(Buffer.from(`--${BOUNDARY}\r\n${'a: b\r\n'.repeat(9_000)}`))).to.equal('broken');
  });

  it('finds the boundary in a content type', () => {
    expect(boundaryOf('multipart/mixed; boundary=abc')).to.equal('abc');
    expect(boundaryOf('Multipart/Mixed; charset=x; boundary="a b;c"')).to.equal('a b;c');
    for (const none of ['', 'text/plain; boundary=abc', 'multipart/mixed', 'multipart/mixed; boundary='])
      expect(boundaryOf(none), none).to.equal(undefined);
  });
});
