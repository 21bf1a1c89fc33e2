import path from 'node:path';
import { thumbnailFolder } from './blob-store.ts';

export type ThumbnailMethod = 'crop' | 'scale';

/** A thumbnail of some content, in one of the sizes that are made. */
export interface ThumbnailRequest {
  /** Hex SHA-256 of the content. */
  readonly sha256: string;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
  readonly method: ThumbnailMethod;
  /** True: animated when the content is. */
  readonly animated: boolean;
}

/** A thumbnail that is on disk. */
export interface ThumbnailFile {
  readonly kind: 'thumbnail';
  /** Its path. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly contentType: string;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** The sizes that the specification names, and two for large screens; whoever asks for more gets the largest. */
const SCALED_SIZES: readonly Size[] = [
  { width: 32, height: 32 },
  { width: 96, height: 96 },
  { width: 320, height: 240 },
  { width: 640, height: 480 },
  { width: 800, height: 600 },
  { width: 1600, height: 1200 },
  { width: 3200, height: 2400 },
];

/** The same, and squares, which is what pictures of people are shown as. */
const CROPPED_SIZES: readonly Size[] = [
  ...SCALED_SIZES,
  { width: 320, height: 320 },
  { width: 640, height: 640 },
  { width: 800, height: 800 },
];

function shapeDistance(size: Size, wanted: Size): number {
  return Math.abs(Math.log((size.width * wanted.height) / (size.height * wanted.width)));
}

const area = ({ width, height }: Size): number => width * height;

/** Sizes whose shapes are this near to each other (as a logarithm of their ratio) count as the same shape. */
const SHAPE_TOLERANCE = 0.2;

/**
 * The size that is made for a wish: the smallest that is not smaller than the wish, and for a crop among those the one whose shape is
 * nearest. So only few sizes are ever made. Client-Server API v1.19, "Thumbnails".
 *
 * @param width, height in pixels, at least 1
 */
export function thumbnailSize(width: number, height: number, method: ThumbnailMethod): Size {
  const wanted = { width, height };
  const sizes = method === 'crop' ? CROPPED_SIZES : SCALED_SIZES;
  const covering = sizes.filter((size) => size.width >= width && size.height >= height);
  const candidates =
    covering.length > 0 ? covering : sizes.slice(SCALED_SIZES.length - 1, SCALED_SIZES.length);
  const distances = candidates.map((size) => shapeDistance(size, wanted));
  const nearest = Math.min(...distances);
  const shaped =
    method === 'scale'
      ? candidates
      : candidates.filter((_size, index) => (distances[index] ?? 0) <= nearest + SHAPE_TOLERANCE);
  const [smallest] = shaped.toSorted((one, other) => area(one) - area(other));
  if (smallest === undefined) throw new Error('there is no size for a thumbnail');
  return smallest;
}

/** Types of thumbnails, by the ending of their files. All of them may be served inline. */
export const TYPE_BY_EXTENSION: Readonly<Record<string, string>> = {
  jpg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
};

/** Where a thumbnail is once it is made, without the ending that says its type. @param folder of all media */
export function thumbnailPath(folder: string, request: ThumbnailRequest): string {
  const { sha256, width, height, method, animated } = request;
  const name = `${width}x${height}-${method}${animated ? '-animated' : ''}`;
  return path.join(thumbnailFolder(folder, sha256), name);
}

/** Names a thumbnail: the same content in the same size is the same name. */
export function thumbnailKey({ sha256, width, height, method, animated }: ThumbnailRequest): string {
  return `${sha256}-${width}x${height}-${method}${animated ? '-animated' : ''}`;
}
