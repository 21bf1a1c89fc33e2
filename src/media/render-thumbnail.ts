import { access, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp, { type Metadata, type Sharp } from 'sharp';
import { type Refusal, refuse } from '../matrix/refusal.ts';
import { clearFrame, drawFrame, readApng } from './apng.ts';
import { type ThumbnailFile, type ThumbnailMethod, TYPE_BY_EXTENSION } from './thumbnail.ts';

/** What is to be made of what. */
export interface RenderTask {
  /** The picture's file. */
  readonly source: string;
  /** Where the thumbnail goes, without its ending. */
  readonly target: string;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
  readonly method: ThumbnailMethod;
  readonly animated: boolean;
}

/** Pixels of a picture: decoded, each takes up to eight bytes. */
export const PIXELS_MAX = 50_000_000;
/** Pixels of all frames of an animation together; one with more stands still. */
export const ANIMATION_PIXELS_MAX = 100_000_000;
/** Frames of an animation; one with more stands still. */
export const FRAMES_MAX = 1_000;
/** The largest animated PNG that is taken apart, in bytes; a larger one stands still. */
const APNG_BYTES_MAX = 20_971_520;
/** How long the library may work on one picture, in seconds. */
const RENDER_SECONDS_MAX = 20;
const JPEG_QUALITY = 80;
const WEBP_QUALITY = 75;
/** Little effort: nobody waits for the last percent. */
const WEBP_EFFORT = 2;

const FORMATS: ReadonlySet<string | undefined> = new Set(['jpeg', 'png', 'gif', 'webp', 'heif', 'tiff']);

// The library reads dozens of formats: whatever is not named here does not reach its decoders. SVG and PDF are programs.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Nsgif', 'Webp', 'Heif', 'Tiff'].flatMap((name) => [
    `VipsForeignLoad${name}File`,
    `VipsForeignLoad${name}Buffer`,
  ]),
});
// Files are read once: a cache would only hold memory, and two pictures at a time are what is allowed.
sharp.cache(false);
sharp.concurrency(1);

const NO_THUMBNAIL = refuse('M_UNKNOWN', 'Thumbnails of this content cannot be made.', { status: 400 });
const TOO_LARGE = refuse('M_TOO_LARGE', `The picture has more than ${PIXELS_MAX} pixels, or takes too long.`);

function open(input: string | Buffer, animated: boolean): Sharp {
  return sharp(input, { limitInputPixels: false, animated, failOn: 'error' }).timeout({
    seconds: RENDER_SECONDS_MAX,
  });
}

/** Never larger than the original, and oriented as the camera says. */
function resized(image: Sharp, { width, height, method }: RenderTask): Sharp {
  return image.autoOrient().resize({
    width,
    height,
    fit: method === 'crop' ? 'cover' : 'inside',
    withoutEnlargement: true,
  });
}

async function save(target: string, extension: string, data: Uint8Array): Promise<ThumbnailFile> {
  const file = `${target}.${extension}`;
  await mkdir(path.dirname(file), { recursive: true });
  // A thumbnail is there whole or not at all.
  await writeFile(`${file}.part`, data, { flush: true });
  await rename(`${file}.part`, file);
  const contentType = TYPE_BY_EXTENSION[extension];
  if (contentType === undefined) throw new Error(`no type for ${extension}`);
  return { kind: 'thumbnail', path: file, sizeBytes: data.byteLength, contentType };
}

interface Rendered {
  readonly extension: string;
  readonly data: Uint8Array;
}

async function renderStill(task: RenderTask, hasAlpha: boolean): Promise<Rendered> {
  const image = resized(open(task.source, false), task);
  if (hasAlpha) return { extension: 'png', data: await image.png().toBuffer() };
  return { extension: 'jpg', data: await image.jpeg({ quality: JPEG_QUALITY }).toBuffer() };
}

async function renderMoving(task: RenderTask): Promise<Rendered> {
  const image = resized(open(task.source, true), task);
  return {
    extension: 'webp',
    data: await image.webp({ quality: WEBP_QUALITY, effort: WEBP_EFFORT }).toBuffer(),
  };
}

/** The library shows only the first picture of an animated PNG, so its frames are drawn here, each made small at once. */
async function renderApng(task: RenderTask): Promise<Rendered | null> {
  if ((await stat(task.source)).size > APNG_BYTES_MAX) return null;
  const apng = readApng(await readFile(task.source), FRAMES_MAX);
  if (apng === null || apng.frames.length < 2) return null;
  const { width, height, frames } = apng;
  if (width * height * frames.length > ANIMATION_PIXELS_MAX) return null;
  const canvas = Buffer.alloc(width * height * 4);
  const small: Buffer[] = [];
  let size = { width: 0, height: 0 };
  for (const frame of frames) {
    const before = frame.dispose === 'previous' ? Buffer.from(canvas) : null;
    const pixels = await open(frame.png, false)
      .toColourspace('srgb')
      .ensureAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer();
    drawFrame(canvas, width, frame, pixels);
    const shown = sharp(canvas, { raw: { width, height, channels: 4 } });
    const { data, info } = await resized(shown, task).raw().toBuffer({ resolveWithObject: true });
    small.push(data);
    size = { width: info.width, height: info.height };
    before?.copy(canvas);
    if (frame.dispose === 'background') clearFrame(canvas, width, frame);
  }
  const roll = {
    width: size.width,
    height: size.height * small.length,
    channels: 4,
    pageHeight: size.height,
  } as const;
  const data = await sharp(Buffer.concat(small), { raw: roll, limitInputPixels: false })
    .webp({
      quality: WEBP_QUALITY,
      effort: WEBP_EFFORT,
      loop: apng.plays,
      delay: frames.map(({ delayMs }) => delayMs),
    })
    .toBuffer();
  return { extension: 'webp', data };
}

function canMove({ pages = 1, width, height, pageHeight = height }: Metadata): boolean {
  return pages > 1 && pages <= FRAMES_MAX && width * pageHeight * pages <= ANIMATION_PIXELS_MAX;
}

async function render(task: RenderTask): Promise<Rendered | Refusal> {
  const metadata = await open(task.source, false).metadata();
  const { width, height, format, hasAlpha } = metadata;
  if (!FORMATS.has(format)) return NO_THUMBNAIL;
  if (width * height > PIXELS_MAX) return TOO_LARGE;
  if (task.animated && canMove(metadata)) return renderMoving(task);
  if (task.animated && format === 'png') {
    const moving = await renderApng(task);
    if (moving !== null) return moving;
  }
  return renderStill(task, hasAlpha);
}

/**
 * Makes a thumbnail and stores it beside its picture. Reads JPEG, PNG, GIF, WebP, AVIF and TIFF; gives PNG where there is transparency, JPEG
 * where there is none, WebP where it moves.
 *
 * @returns the thumbnail, or a refusal: 400 `M_UNKNOWN` for what cannot be read, 413 `M_TOO_LARGE` for more than {@link PIXELS_MAX}
 * @throws Error (rejection) when the picture is not there, or the thumbnail cannot be written
 */
export async function renderThumbnail(task: RenderTask): Promise<ThumbnailFile | Refusal> {
  await access(task.source);
  let rendered: Rendered | Refusal;
  try {
    rendered = await render(task);
  } catch (error) {
    // Whatever the library says against a picture that is there is the picture's fault.
    return String(error).includes('timeout') ? TOO_LARGE : NO_THUMBNAIL;
  }
  return 'kind' in rendered ? rendered : save(task.target, rendered.extension, rendered.data);
}
