import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import { findMedia } from '../../../../../db/media/reader.ts';
import { thumbnailFolder } from '../../../../../src/media/blob-store.ts';
import { animation, apng, type Colour, isNear, look, plainPicture } from '../../../media/pictures.ts';
import { outcomeOf } from '../account-app.ts';
import { type MediaWorld, startMediaWorld } from './media-world.ts';

const RED: Colour = [220, 20, 20, 255];
const GREEN: Colour = [20, 200, 20, 255];
const BLUE: Colour = [20, 20, 220, 255];

describe('media thumbnails', function () {
  this.timeout(20_000);
  let world: MediaWorld;
  const thumbnail = (mediaId: string, query: string, headers: Record<string, string> = {}) =>
    world.fetch(`/_matrix/client/v1/media/thumbnail/example.org/${mediaId}?${query}`, { headers });
  const sizeOf = async (mediaId: string, query: string): Promise<string> => {
    const { status, bytes } = await thumbnail(mediaId, query);
    if (status !== 200) return `${status}`;
    const { width, height, format } = await look(bytes);
    return `${width}x${height} ${format}`;
  };
  const filesOf = async (mediaId: string): Promise<string[]> => {
    const row = await findMedia(world.database.db, 'example.org', mediaId);
    return readdirSync(thumbnailFolder(world.folder, row?.sha256 ?? '')).toSorted();
  };

  before(async () => {
    world = await startMediaWorld({ TROUPE_MEDIA_ALLOW_LEGACY: 'true' });
  });
  after(() => world.close());

  it('come in the sizes of the specification, the nearest larger one', async () => {
    const mediaId = await world.upload(await plainPicture(1000, 500, 'jpeg'), 'image/jpeg');
    expect(await sizeOf(mediaId, 'width=32&height=32&method=crop')).to.equal('32x32 jpeg');
    expect(await sizeOf(mediaId, 'width=33&height=20&method=crop')).to.equal('320x240 jpeg');
    expect(await sizeOf(mediaId, 'width=64&height=64&method=crop')).to.equal('96x96 jpeg');
    expect(await sizeOf(mediaId, 'width=300&height=100')).to.equal('320x160 jpeg');
    expect(await sizeOf(mediaId, 'width=500&height=300&method=scale')).to.equal('640x320 jpeg');
    expect(await sizeOf(mediaId, 'width=800&height=600&method=scale')).to.equal('800x400 jpeg');
    expect((await filesOf(mediaId)).length).to.equal(6);
  });

  it('are never larger than the original', async () => {
    const mediaId = await world.upload(await plainPicture(50, 40, 'png'), 'image/png');
    expect(await sizeOf(mediaId, 'width=640&height=480')).to.equal('50x40 jpeg');
    expect(await sizeOf(mediaId, 'width=96&height=96&method=crop')).to.equal('50x40 jpeg');
  });

  it('keep what shines through, and are inline and safe', async () => {
    const mediaId = await world.upload(await plainPicture(200, 200, 'png', [9, 9, 9, 100]), 'image/png');
    const answer = await thumbnail(mediaId, 'width=96&height=96&method=crop');
    expect(answer.headers.get('content-type')).to.equal('image/png');
    expect(answer.headers.get('content-disposition')).to.equal('inline; filename="thumbnail.png"');
    expect(answer.headers.get('content-security-policy')).to.include('sandbox');
    const etag = answer.headers.get('etag') ?? '';
    const again = await thumbnail(mediaId, 'width=90&height=90&method=crop', { 'If-None-Match': etag });
    expect(again.status).to.equal(304);
  });

  it('are read from AVIF, WebP and TIFF as well', async () => {
    for (const format of ['avif', 'webp', 'tiff'] as const) {
      const mediaId = await world.upload(await plainPicture(200, 100, format), `image/${format}`);
      expect(await sizeOf(mediaId, 'width=96&height=96'), format).to.equal('96x48 jpeg');
    }
  });

  for (const format of ['gif', 'webp'] as const)
    it(`of an animated ${format} move when that is asked for, and only then`, async () => {
      const mediaId = await world.upload(
        await animation(200, 100, format, [RED, GREEN, BLUE]),
        `image/${format}`,
      );
      const moving = await thumbnail(mediaId, 'width=96&height=96&animated=true');
      expect(moving.headers.get('content-type')).to.equal('image/webp');
      const seen = await look(moving.bytes);
      expect([seen.width, seen.height, seen.frames]).to.deep.equal([96, 48, 3]);
      expect(isNear(seen.middles[2], BLUE), String(seen.middles)).to.equal(true);
      for (const query of ['width=96&height=96', 'width=96&height=96&animated=false'])
        expect((await look((await thumbnail(mediaId, query)).bytes)).frames).to.equal(1);
    });

  it('of an animated PNG move, drawn frame upon frame', async () => {
    const whole = { width: 120, height: 120, x: 0, y: 0 };
    const middle = { width: 60, height: 60, x: 30, y: 30 };
    const picture = await apng(120, 120, [
      { ...whole, colour: RED, dispose: 0, blend: 0 },
      { ...middle, colour: GREEN, dispose: 2, blend: 0 },
      { ...middle, x: 10, colour: [0, 0, 0, 0], dispose: 0, blend: 1 },
      { ...middle, colour: BLUE, dispose: 1, blend: 1 },
      { ...middle, x: 0, y: 0, width: 10, height: 10, colour: GREEN, dispose: 0, blend: 0 },
    ]);
    const mediaId = await world.upload(picture, 'image/png');
    const seen = await look((await thumbnail(mediaId, 'width=96&height=96&animated=true')).bytes);
    expect([seen.format, seen.width, seen.height, seen.frames]).to.deep.equal(['webp', 96, 96, 5]);
    const expected: readonly Colour[] = [RED, GREEN, RED, BLUE, [0, 0, 0, 0]];
    for (const [index, colour] of expected.entries())
      expect(isNear(seen.middles[index]?.slice(3), colour.slice(3)), `alpha of ${index}`).to.equal(true);
    for (const [index, colour] of expected.slice(0, 4).entries())
      expect(isNear(seen.middles[index], colour), `${index}: ${String(seen.middles[index])}`).to.equal(true);
    expect((await look((await thumbnail(mediaId, 'width=96&height=96')).bytes)).frames).to.equal(1);
  });

  it('stand still when there is nothing to move', async () => {
    const mediaId = await world.upload(await plainPicture(200, 100, 'webp'), 'image/webp');
    const answer = await thumbnail(mediaId, 'width=96&height=96&animated=true');
    expect([answer.status, answer.headers.get('content-type')]).to.deep.equal([200, 'image/jpeg']);
  });

  it('are made once for all who ask at the same moment', async () => {
    const mediaId = await world.upload(await plainPicture(900, 900, 'png'), 'image/png');
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => thumbnail(mediaId, 'width=96&height=96&method=crop')),
    );
    expect(new Set(answers.map(({ bytes }) => bytes.toString('base64'))).size).to.equal(1);
    expect(await filesOf(mediaId)).to.deep.equal(['96x96-crop.jpg']);
  });

  it('are not made of what is no picture, whatever it is called', async () => {
    const svg =
      '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>';
    const half = (await plainPicture(300, 300, 'png')).subarray(0, 120);
    for (const bytes of [svg, `<?xml version="1.0"?>${svg}`, 'text', '%PDF-1.4 …', half]) {
      const mediaId = await world.upload(Buffer.from(bytes), 'image/png');
      const answer = await world.ann.get(
        `/_matrix/client/v1/media/thumbnail/example.org/${mediaId}?width=9&height=9`,
      );
      expect(outcomeOf(answer)).to.equal('400 M_UNKNOWN');
    }
  });

  it('are not made of bombs', async () => {
    const bomb = await plainPicture(10_000, 10_000, 'png');
    expect(bomb.length).to.be.lessThan(2_000_000);
    const mediaId = await world.upload(bomb, 'image/png');
    const answer = await world.ann.get(
      `/_matrix/client/v1/media/thumbnail/example.org/${mediaId}?width=9&height=9`,
    );
    expect(outcomeOf(answer)).to.equal('413 M_TOO_LARGE');
  });

  it('need a size that makes sense', async () => {
    const mediaId = await world.upload(await plainPicture(20, 20, 'png'), 'image/png');
    for (const query of [
      'width=0&height=9',
      'width=-1&height=9',
      'width=9',
      'width=a&height=9',
      'width=9&height=9&method=x',
    ])
      expect((await thumbnail(mediaId, query)).status, query).to.equal(400);
  });

  it('come without a token from the old paths where that is allowed', async () => {
    const mediaId = await world.upload(await plainPicture(99, 99, 'png'), 'image/png');
    for (const version of ['v3', 'r0', 'v1']) {
      const path = `/_matrix/media/${version}/thumbnail/example.org/${mediaId}?width=96&height=96&method=crop`;
      expect((await world.app.client.get(path)).status).to.equal(200);
    }
  });
});
