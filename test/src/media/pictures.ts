import { crc32 } from 'node:zlib';
import sharp from 'sharp';

/** A colour as red, green, blue and alpha. */
export type Colour = readonly [number, number, number, number];

function background([r, g, b, alpha]: Colour) {
  return { r, g, b, alpha: alpha / 255 };
}

/** A picture of one colour. */
export function plainPicture(
  width: number,
  height: number,
  format: 'jpeg' | 'png' | 'webp' | 'avif' | 'tiff',
  colour: Colour = [200, 30, 30, 255],
): Promise<Buffer> {
  const channels = colour[3] === 255 ? 3 : 4;
  return sharp({ create: { width, height, channels, background: background(colour) } })
    .toFormat(format)
    .toBuffer();
}

/** An animation with one frame for each colour. */
export function animation(
  width: number,
  height: number,
  format: 'gif' | 'webp',
  colours: readonly Colour[],
): Promise<Buffer> {
  const frames = colours.map((colour) => Buffer.alloc(width * height * 4, Buffer.from(colour)));
  const raw = { width, height: height * colours.length, channels: 4, pageHeight: height } as const;
  const image = sharp(Buffer.concat(frames), { raw });
  const delay = colours.map(() => 100);
  return (
    format === 'gif' ? image.gif({ delay, loop: 0 }) : image.webp({ delay, loop: 0, lossless: true })
  ).toBuffer();
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const ends = [Buffer.alloc(4), Buffer.alloc(4)] as const;
  ends[0].writeUInt32BE(data.length);
  ends[1].writeUInt32BE(crc32(body));
  return Buffer.concat([ends[0], body, ends[1]]);
}

function pixelsOf(png: Buffer): Buffer {
  const found: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    const length = png.readUInt32BE(at);
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') found.push(png.subarray(at + 8, at + 8 + length));
  }
  return Buffer.concat(found);
}

/** One frame of an animated PNG: a rectangle of one colour. */
export interface FrameOfApng {
  readonly colour: Colour;
  readonly width: number;
  readonly height: number;
  readonly x: number;
  readonly y: number;
  /** 0 none, 1 background, 2 previous. */
  readonly dispose: number;
  /** 0 source, 1 over. */
  readonly blend: number;
}

/** An animated PNG; its first frame must fill it. */
export async function apng(width: number, height: number, frames: readonly FrameOfApng[]): Promise<Buffer> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 6, 0, 0, 0], 8);
  const control = Buffer.alloc(8);
  control.writeUInt32BE(frames.length, 0);
  const parts = [Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', header), chunk('acTL', control)];
  let sequence = 0;
  for (const [index, frame] of frames.entries()) {
    const png = await sharp(Buffer.alloc(frame.width * frame.height * 4, Buffer.from(frame.colour)), {
      raw: { width: frame.width, height: frame.height, channels: 4 },
    })
      .png({ palette: false })
      .toBuffer();
    const fields = Buffer.alloc(26);
    for (const [place, value] of [sequence, frame.width, frame.height, frame.x, frame.y].entries())
      fields.writeUInt32BE(value, place * 4);
    fields.writeUInt16BE(1, 20);
    fields.writeUInt16BE(10, 22);
    fields.set([frame.dispose, frame.blend], 24);
    sequence += 1;
    parts.push(chunk('fcTL', fields));
    if (index === 0) {
      parts.push(chunk('IDAT', pixelsOf(png)));
      continue;
    }
    const number = Buffer.alloc(4);
    number.writeUInt32BE(sequence);
    sequence += 1;
    parts.push(chunk('fdAT', Buffer.concat([number, pixelsOf(png)])));
  }
  return Buffer.concat([...parts, chunk('IEND', Buffer.alloc(0))]);
}

/** What a picture is: format, size of one frame, frames, and the colour in the middle of each. */
export async function look(bytes: Buffer): Promise<{
  readonly format: string;
  readonly width: number;
  readonly height: number;
  readonly frames: number;
  readonly middles: readonly (readonly number[])[];
}> {
  const {
    format,
    width,
    height,
    pages = 1,
    pageHeight = height,
  } = await sharp(bytes, { animated: true }).metadata();
  const raw = await sharp(bytes, { animated: true }).toColourspace('srgb').ensureAlpha().raw().toBuffer();
  const middles = Array.from({ length: pages }, (_, frame) => {
    const at = ((frame * pageHeight + Math.floor(pageHeight / 2)) * width + Math.floor(width / 2)) * 4;
    return [...raw.subarray(at, at + 4)];
  });
  return { format, width, height: pageHeight, frames: pages, middles };
}

/** Are two colours alike, as lossy formats have it? */
export function isNear(one: readonly number[] | undefined, other: readonly number[]): boolean {
  return one !== undefined && other.every((value, index) => Math.abs(value - (one[index] ?? -999)) <= 24);
}
