import { expect } from 'chai';
import {
  PAGE_BYTES_MAX,
  readPage,
  VALUE_LENGTH_MAX,
  VALUES_MAX,
} from '../../../../src/media/previews/read-page.ts';

async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) {
    await Promise.resolve();
    yield bytes.subarray(at, at + size);
  }
}

async function read(html: string | Uint8Array, contentType = 'text/html', chunk = 700): Promise<object> {
  return Object.fromEntries(await readPage(inChunks(Buffer.from(html), chunk), contentType));
}

describe('reading what a page says of itself', () => {
  it('takes the OpenGraph properties, the first of each', async () => {
    const html = `<!doctype html><html><head><title>no</title>
      <meta property="og:title" content="A &amp; B
        C"><meta property="og:title" content="second"><meta property="OG:Site_Name" content="Site">
      <meta name="og:description" content="words"><meta property="article:author" content="me">
      <meta property="og:image" content="/a.png"></head><body></body></html>`;
    expect(await read(html)).to.deep.equal({
      'og:title': 'A & B C',
      'og:site_name': 'Site',
      'og:description': 'words',
      'og:image': '/a.png',
    });
  });

  it('makes do with title, description and icon', async () => {
    const html = `<title> The
      title </title><meta name=description content=short><link rel="shortcut icon" href="i.ico">`;
    expect(await read(html)).to.deep.equal({
      'og:title': 'The title',
      'og:description': 'short',
      'og:image': 'i.ico',
    });
  });

  it('stops where the body begins, said or not', async () => {
    for (const body of ['<body>', '<p>', '</head>', '<custom-element>'])
      expect(
        await read(`<head><title>t</title>${body}<meta property="og:title" content="late">`),
        body,
      ).to.deep.equal({
        'og:title': 't',
      });
  });

  it('looks past scripts and what is for who has none', async () => {
    const html = `<head><script>var a = "<body>";</script><style>p > a {}</style>
      <noscript><img src=x><meta property="og:title" content="hidden"></noscript><title>seen</title>`;
    expect(await read(html)).to.deep.equal({ 'og:title': 'seen' });
  });

  it('decodes by header, by the page and by its first bytes', async () => {
    const latin = Buffer.from('<title>caf\xe9</title>', 'latin1');
    expect(await read(latin, 'text/html; charset=ISO-8859-1')).to.deep.equal({ 'og:title': 'café' });
    const meta = Buffer.from('<meta charset="windows-1251"><title>\xcf</title>', 'latin1');
    expect(await read(meta)).to.deep.equal({ 'og:title': 'П' });
    expect(await read(Buffer.from('\ufeff<title>é</title>', 'utf16le'))).to.deep.equal({ 'og:title': 'é' });
    expect(await read('<title>é</title>', 'text/html; charset=nonsense')).to.deep.equal({ 'og:title': 'é' });
    expect(await read(`${' '.repeat(1023)}<title>é</title>`, 'text/html', 1)).to.deep.equal({
      'og:title': 'é',
    });
  });

  it('keeps few values, and short ones', async () => {
    const many = Array.from(
      { length: 500 },
      (_, n) => `<meta property="og:x${n}" content="${'y'.repeat(5_000)}">`,
    );
    const found: Record<string, string> = { ...(await read(many.join(''))) };
    expect(Object.keys(found).length).to.equal(VALUES_MAX);
    expect(found['og:x0']?.length).to.equal(VALUE_LENGTH_MAX);
  });

  for (const [name, html] of [
    ['elements within each other', '<template>'.repeat(200_000)],
    ['elements that end and never began', `${'<template>'.repeat(50_000)}${'</noscript>'.repeat(50_000)}`],
    ['attributes without end', `<meta ${'a=b '.repeat(500_000)}>`],
    ['a title without end', `<title>${'t'.repeat(2_000_000)}`],
    ['comments', '<!--'.repeat(400_000)],
    ['entities', `<title>${'&amp;'.repeat(400_000)}`],
  ] as const)
    it(`is done soon with a bomb of ${name}`, async () => {
      const started = process.cpuUsage();
      let bytes = 0;
      async function* counted(): AsyncGenerator<Uint8Array> {
        for await (const chunk of inChunks(Buffer.from(html), 65_536)) {
          bytes += chunk.byteLength;
          yield chunk;
        }
      }
      await readPage(counted(), 'text/html');
      expect(bytes).to.be.at.most(PAGE_BYTES_MAX + 65_536);
      // A page whose cost grew with the square of its size would take minutes.
      expect(process.cpuUsage(started).user / 1000).to.be.lessThan(2_000);
    });
});
