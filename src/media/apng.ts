import { crc32 } from 'node:zlib';

/** How a frame leaves the canvas for the next one, and how it is put on it. PNG (Third Edition), section 11.3.6.2. */
export interface ApngFrame {
  /** A whole PNG of this frame alone. */
  readonly png: Buffer;
  readonly width: number;
  readonly height: number;
  readonly x: number;
  readonly y: number;
  readonly delayMs: number;
  readonly dispose: 'none' | 'background' | 'previous';
  readonly blend: 'source' | 'over';
}

/** An animated PNG, taken apart. */
export interface Apng {
  readonly width: number;
  readonly height: number;
  /** How often it is shown; 0 for ever. */
  readonly plays: number;
  readonly frames: readonly ApngFrame[];
}

interface Chunk {
  readonly type: string;
  readonly data: Buffer;
}

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');
const IHDR_BYTES = 13;
const FRAME_CONTROL_BYTES = 26;
/** Chunks that say how pixels are to be read: each frame needs them. */
const SHARED_TYPES = new Set(['PLTE', 'tRNS', 'gAMA', 'cHRM', 'sRGB', 'iCCP', 'sBIT']);
const DISPOSALS = ['none', 'background', 'previous'] as const;

/** Null where the chunks do not fit the file. */
function readChunks(file: Buffer): readonly Chunk[] | null {
  if (!file.subarray(0, SIGNATURE.length).equals(SIGNATURE)) return null;
  const chunks: Chunk[] = [];
  for (let at = SIGNATURE.length; at + 12 <= file.length;) {
    const length = file.readUInt32BE(at);
    const end = at + 8 + length;
    if (end + 4 > file.length) return null;
    chunks.push({ type: file.toString('latin1', at + 4, at + 8), data: file.subarray(at + 8, end) });
    at = end + 4;
  }
  return chunks;
}

function writeChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(data.length);
  const tail = Buffer.alloc(4);
  tail.writeUInt32BE(crc32(body));
  return Buffer.concat([head, body, tail]);
}

type Control = Omit<ApngFrame, 'png'>;

function readControl(data: Buffer): Control | null {
  if (data.length < FRAME_CONTROL_BYTES) return null;
  const dispose = DISPOSALS[data.readUInt8(24)];
  if (dispose === undefined) return null;
  const denominator = data.readUInt16BE(22);
  return {
    width: data.readUInt32BE(4),
    height: data.readUInt32BE(8),
    x: data.readUInt32BE(12),
    y: data.readUInt32BE(16),
    delayMs: Math.round((data.readUInt16BE(20) * 1000) / (denominator === 0 ? 100 : denominator)),
    dispose,
    blend: data.readUInt8(25) === 1 ? 'over' : 'source',
  };
}

interface OpenFrame {
  readonly control: Control;
  readonly pixels: Buffer[];
}

/** Only the frames with pixels: a first picture without a control is for who knows no animation. */
function collectFrames(chunks: readonly Chunk[], framesMax: number): readonly OpenFrame[] | null {
  const frames: OpenFrame[] = [];
  for (const { type, data } of chunks) {
    if (type === 'fcTL') {
      const control = readControl(data);
      if (control === null || frames.length === framesMax) return null;
      frames.push({ control, pixels: [] });
    } else if (type === 'IDAT') frames.at(-1)?.pixels.push(data);
    else if (type === 'fdAT') frames.at(-1)?.pixels.push(data.subarray(4));
  }
  return frames.filter(({ pixels }) => pixels.length > 0);
}

function isInside({ x, y, width, height }: Control, canvas: { width: number; height: number }): boolean {
  return width > 0 && height > 0 && x + width <= canvas.width && y + height <= canvas.height;
}

/**
 * Takes an animated PNG apart into one PNG per frame. What it cannot make sense of it does not take apart.
 *
 * @param framesMax how many frames it may have
 * @returns null for what is no animated PNG, is broken, or has too many frames
 */
export function readApng(file: Buffer, framesMax: number): Apng | null {
  const chunks = readChunks(file);
  const header = chunks?.find(({ type }) => type === 'IHDR')?.data;
  const animation = chunks?.find(({ type }) => type === 'acTL')?.data;
  if (chunks === null || header?.length !== IHDR_BYTES || animation?.length !== 8) return null;
  const canvas = { width: header.readUInt32BE(0), height: header.readUInt32BE(4) };
  const open = collectFrames(chunks, framesMax);
  if (open === null || open.length === 0 || !open.every(({ control }) => isInside(control, canvas)))
    return null;
  const shared = chunks
    .filter(({ type }) => SHARED_TYPES.has(type))
    .map(({ type, data }) => writeChunk(type, data));
  const frames = open.map(({ control, pixels }): ApngFrame => {
    const own = Buffer.from(header);
    own.writeUInt32BE(control.width, 0);
    own.writeUInt32BE(control.height, 4);
    const parts = [SIGNATURE, writeChunk('IHDR', own), ...shared, writeChunk('IDAT', Buffer.concat(pixels))];
    return { ...control, png: Buffer.concat([...parts, writeChunk('IEND', Buffer.alloc(0))]) };
  });
  return { ...canvas, plays: animation.readUInt32BE(4), frames };
}

/** Pixels as RGBA, four bytes each, row by row. */
export type Rgba = Buffer;

function blendPixel(canvas: Rgba, to: number, pixels: Rgba, from: number): void {
  const over = pixels.readUInt8(from + 3) / 255;
  const under = (canvas.readUInt8(to + 3) / 255) * (1 - over);
  const alpha = over + under;
  for (let channel = 0; channel < 3; channel += 1) {
    const mixed = pixels.readUInt8(from + channel) * over + canvas.readUInt8(to + channel) * under;
    canvas.writeUInt8(alpha === 0 ? 0 : Math.round(mixed / alpha), to + channel);
  }
  canvas.writeUInt8(Math.round(alpha * 255), to + 3);
}

/**
 * Puts a frame on the canvas, in place.
 *
 * @param canvas the whole picture
 * @param pixels of the frame alone
 * @param canvasWidth in pixels
 */
export function drawFrame(canvas: Rgba, canvasWidth: number, frame: ApngFrame, pixels: Rgba): void {
  for (let row = 0; row < frame.height; row += 1) {
    const to = ((frame.y + row) * canvasWidth + frame.x) * 4;
    const from = row * frame.width * 4;
    if (frame.blend === 'source') pixels.copy(canvas, to, from, from + frame.width * 4);
    else
      for (let column = 0; column < frame.width; column += 1)
        blendPixel(canvas, to + column * 4, pixels, from + column * 4);
  }
}

/** Makes the place of a frame empty, in place. */
export function clearFrame(canvas: Rgba, canvasWidth: number, frame: ApngFrame): void {
  for (let row = 0; row < frame.height; row += 1) {
    const to = ((frame.y + row) * canvasWidth + frame.x) * 4;
    canvas.fill(0, to, to + frame.width * 4);
  }
}
