import { expect } from 'chai';
import { mayBeInline, parseContentType, servedType, sniffType } from '../../../src/media/content-type.ts';
import { contentDisposition } from '../../../src/media/media-headers.ts';
import { thumbnailSize } from '../../../src/media/thumbnail.ts';
import { plainPicture } from './pictures.ts';

describe('rules of media', () => {
  it('names files as RFC 6266 and RFC 8187 say', () => {
    expect(contentDisposition('inline', null)).to.equal('inline');
    expect(contentDisposition('attachment', '')).to.equal('attachment');
    expect(contentDisposition('inline', 'a b.txt')).to.equal('inline; filename="a b.txt"');
    expect(contentDisposition('inline', String.raw`q"b\.txt`)).to.equal(
      String.raw`inline; filename="q\"b\\.txt"`,
    );
    expect(contentDisposition('inline', "é'(*).txt")).to.equal(
      `inline; filename="_'(*).txt"; filename*=utf-8''%C3%A9%27%28%2A%29.txt`,
    );
    expect(contentDisposition('inline', '😀.png')).to.equal(
      `inline; filename="_.png"; filename*=utf-8''%F0%9F%98%80.png`,
    );
  });

  it('lets no file name out of its header', () => {
    for (const name of ['a\r\nSet-Cookie: x', 'a\0b', '\ud800', 'a\u2028b'])
      expect(contentDisposition('attachment', name)).to.match(/^[\x20-\x7e]*$/);
  });

  it('keeps content types that are one', () => {
    for (const [header, kept] of [
      ['image/png', 'image/png'],
      [' text/plain; charset="utf-8" ', 'text/plain; charset="utf-8"'],
      ['application/vnd.a+b.c-d', 'application/vnd.a+b.c-d'],
      ['nonsense', null],
      ['', null],
      ['text/plain\u00e9', null],
      [`text/${'x'.repeat(300)}`, null],
    ] as const)
      expect(parseContentType(header), header).to.equal(kept);
    expect(parseContentType(null)).to.equal(null);
  });

  it('serves types near to what was uploaded', () => {
    expect(servedType(null, 'image/png')).to.equal('application/octet-stream');
    expect(servedType('image/png', 'image/jpeg')).to.equal('image/png');
    expect(servedType('image/png', null)).to.equal('application/octet-stream');
    expect(servedType('image/jpeg', 'text/html')).to.equal('application/octet-stream');
    expect(servedType('video/mp4', null)).to.equal('video/mp4');
    expect(servedType('text/plain', null)).to.equal('text/plain; charset=utf-8');
    expect(servedType('text/plain; charset=latin1', null)).to.equal('text/plain; charset=latin1');
  });

  it('shows in the window what the specification lists', () => {
    for (const type of [
      'text/css',
      'IMAGE/PNG',
      'text/plain; charset=utf-8',
      'audio/x-flac',
      'video/quicktime',
    ])
      expect(mayBeInline(type), type).to.equal(true);
    for (const type of [
      'text/html',
      'image/svg+xml',
      'application/pdf',
      'text/xml',
      'application/octet-stream',
      'text/plainx',
    ])
      expect(mayBeInline(type), type).to.equal(false);
  });

  it('sees what first bytes are', async () => {
    expect(await sniffType(await plainPicture(2, 2, 'webp'))).to.equal('image/webp');
    expect(await sniffType(Buffer.from('hello'))).to.equal(null);
    expect(await sniffType(Buffer.alloc(0))).to.equal(null);
  });

  it('makes thumbnails in few sizes only', () => {
    const sizes = new Set<string>();
    for (const method of ['crop', 'scale'] as const)
      for (let width = 1; width < 4_000; width += 37)
        for (let height = 1; height < 3_000; height += 41) {
          const size = thumbnailSize(width, height, method);
          sizes.add(`${size.width}x${size.height}`);
          if (width <= 3_200 && height <= 2_400 && (size.width < width || size.height < height))
            throw new Error(`${width}x${height} ${method} gives ${size.width}x${size.height}`);
        }
    expect(sizes.size).to.equal(10);
  });

  it('makes the sizes of the specification for those who ask for them', () => {
    for (const [width, height, method] of [
      [32, 32, 'crop'],
      [96, 96, 'crop'],
      [320, 240, 'scale'],
      [640, 480, 'scale'],
      [800, 600, 'scale'],
    ] as const)
      expect(thumbnailSize(width, height, method)).to.deep.equal({ width, height });
    expect(thumbnailSize(200, 200, 'crop')).to.deep.equal({ width: 320, height: 320 });
    expect(thumbnailSize(99_999, 99_999, 'crop')).to.deep.equal({ width: 3_200, height: 2_400 });
  });
});
