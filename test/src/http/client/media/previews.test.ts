import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import { NO_PREVIEW_LIFETIME_MS, PREVIEW_LIFETIME_MS } from '../../../../../actors/previews/actor.ts';
import { type PageServer, startPageServer } from '../../../media/previews/page-server.ts';
import { plainPicture } from '../../../media/pictures.ts';
import { fieldsOf, outcomeOf, textOf } from '../account-app.ts';
import { mediaIdOf, type MediaWorld, startMediaWorld, until } from './media-world.ts';

const PATHS = [
  '/_matrix/client/v1/media/preview_url',
  '/_matrix/media/v3/preview_url',
  '/_matrix/media/r0/preview_url',
];

describe('URL previews', () => {
  let world: MediaWorld;
  let server: PageServer;
  const at = (path: string, host = '127.0.0.1'): string => `http://${host}:${server.port}${path}`;
  const preview = (url: string, headers: Record<string, string> = {}) =>
    world.ann.get(PATHS[0] ?? '', { query: { url }, headers });

  before(async () => {
    world = await startMediaWorld({ TROUPE_MEDIA_URL_PREVIEW_ALLOW: '["127.0.0.1/32"]' });
    server = await startPageServer();
  });
  after(async () => {
    await server.close();
    await world.close();
  });

  it('say what a page says of itself, and keep its picture', async () => {
    const picture = await plainPicture(40, 30, 'png');
    server.on('/cat.png', (_request, response) => void response.end(picture));
    server.page(
      '/page',
      `<head><meta property="og:title" content="Cats"><meta property="og:image" content="/cat.png">
       <meta property="og:image:width" content="40"><meta property="og:url" content="https://cats.example/">`,
    );
    const { body } = await preview(at('/page#part'));
    const { 'og:image': image, ...rest } = body as Record<string, unknown>;
    expect(rest).to.deep.equal({
      'og:title': 'Cats',
      'og:url': 'https://cats.example/',
      'og:image:width': 40,
      'og:image:type': 'image/png',
      'matrix:image:size': picture.length,
    });
    expect(image).to.match(/^mxc:\/\/example\.org\/[A-Za-z0-9]{24}$/);
    const kept = await world.fetch(`/_matrix/client/v1/media/download/example.org/${mediaIdOf(image)}`);
    expect(kept.bytes.equals(picture)).to.equal(true);
    expect(kept.headers.get('content-disposition')).to.equal('inline');
  });

  it('are there under all their paths, for who is logged in', async () => {
    server.page('/plain', '<title>Plain</title>');
    for (const path of PATHS) {
      const answer = await world.ann.get(path, { query: { url: at('/plain'), ts: 1 } });
      expect(answer.body).to.deep.equal({ 'og:title': 'Plain' });
      expect(outcomeOf(await world.app.client.get(path, { query: { url: at('/plain') } }))).to.equal(
        '401 M_MISSING_TOKEN',
      );
    }
    expect(server.asked.filter((path) => path === '/plain').length).to.equal(1);
  });

  it('open a page once for all who ask at the same moment, and again when it may have changed', async () => {
    let answered = 0;
    server.on('/busy', (_request, response) => {
      answered += 1;
      setImmediate(() => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<title>b</title>'));
    });
    await Promise.all(Array.from({ length: 5 }, () => preview(at('/busy'))));
    expect(answered).to.equal(1);
    await world.clock.advance(PREVIEW_LIFETIME_MS - 1);
    await preview(at('/busy'));
    expect(answered).to.equal(1);
    await world.clock.advance(1);
    await preview(at('/busy'));
    expect(answered).to.equal(2);
  });

  it('ask for the language of whoever asks', async () => {
    server.on(
      '/language',
      ({ headers }, response) =>
        void response
          .writeHead(200, { 'Content-Type': 'text/html' })
          .end(`<title>${headers['accept-language'] ?? 'none'}</title>`),
    );
    for (const language of ['de', 'fr, en;q=0.5'])
      expect((await preview(at('/language'), { 'Accept-Language': language })).body).to.deep.equal({
        'og:title': language,
      });
    expect((await preview(at('/language'))).body).to.deep.equal({ 'og:title': 'none' });
  });

  it('of a picture are the picture', async () => {
    const picture = await plainPicture(20, 20, 'jpeg');
    server.page('/photo.jpg', picture, { 'Content-Type': 'image/jpeg' });
    const answer = await preview(at('/photo.jpg'));
    expect(fieldsOf(answer)['matrix:image:size']).to.equal(picture.length);
    expect(textOf(answer, 'og:image')).to.match(/^mxc:/);
  });

  it('keep no picture that is none, is too large, or is out of bounds', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg"/>';
    server.page('/a.svg', svg, { 'Content-Type': 'image/svg+xml' });
    server.page('/large.png', Buffer.concat([await plainPicture(9, 9, 'png'), Buffer.alloc(10_485_760)]));
    for (const address of [
      '/a.svg',
      '/large.png',
      `http://127.0.0.2:${server.port}/a.png`,
      'data:image/png;base64,AA',
      'http://',
    ]) {
      const path = `/with?${encodeURIComponent(address)}`;
      server.page(
        path,
        `<title>t</title><meta property="og:image" content="${address}"><meta property="og:image:width" content="9">`,
      );
      expect((await preview(at(path))).body, address).to.deep.equal({ 'og:title': 't' });
    }
  });

  it('of a page that says nothing or cannot be read are empty, for a while', async () => {
    server.page('/data', 'x', { 'Content-Type': 'application/zip' });
    expect((await preview(at('/data'))).body).to.deep.equal({});
    expect((await preview(at('/absent'))).body).to.deep.equal({});
    server.page('/absent', '<title>now</title>');
    expect((await preview(at('/absent'))).body).to.deep.equal({});
    await world.clock.advance(NO_PREVIEW_LIFETIME_MS);
    expect((await preview(at('/absent'))).body).to.deep.equal({ 'og:title': 'now' });
  });

  it('are refused for addresses out of bounds and for what is no page', async () => {
    expect(outcomeOf(await preview(at('/', '127.0.0.2')))).to.equal('403 M_FORBIDDEN');
    for (const url of ['no url', 'file:///etc/passwd', 'javascript:alert(1)'])
      expect(outcomeOf(await preview(url)), url).to.equal('400 M_INVALID_PARAM');
    const without = await world.ann.get(PATHS[0] ?? '', { uncheckedBecause: 'it has no url' });
    expect(without.status).to.equal(400);
  });

  it('leave no temporary files', async () => {
    await until('the end', () => readdirSync(`${world.folder}/temporary`).length === 0);
  });

  it('can be switched off', async () => {
    const off = await startMediaWorld({ TROUPE_MEDIA_URL_PREVIEWS: 'false' });
    try {
      const answer = await off.ann.get(PATHS[0] ?? '', { query: { url: 'http://example.com/' } });
      expect(outcomeOf(answer)).to.equal('404 M_UNRECOGNIZED');
    } finally {
      await off.close();
    }
  });
});
