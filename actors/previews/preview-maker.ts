import type { Config } from '../../src/config/config.ts';
import { createBlobWriter, isStorageFull, mediaFolder } from '../../src/media/blob-store.ts';
import { canHaveThumbnail, sniffType } from '../../src/media/content-type.ts';
import { type AddressGuard, createAddressGuard } from '../../src/http-client/address-guard.ts';
import {
  createPageFetcher,
  type FetchedPage,
  type FetchFailure,
  type PageFetcher,
} from '../../src/media/previews/fetch-page.ts';
import { lookupBySystem } from '../../src/http-client/guarded-connect.ts';
import { type PageProperties, readPage } from '../../src/media/previews/read-page.ts';
import type { Json } from '../../src/kit/json.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';

/** The largest picture of a page that is kept, in bytes. */
export const PREVIEW_IMAGE_BYTES_MAX = 10_485_760;

/** The OpenGraph values of an answer. */
export type Preview = Readonly<Record<string, Json>>;

/** Opens pages and says what they say of themselves. */
export interface PreviewMaker {
  /** @returns the values, none for a page that cannot be read, or null for an address out of bounds */
  readonly make: (url: URL, language: string) => Promise<Preview | null>;
}

/** A picture that is kept as media. */
interface KeptImage {
  readonly uri: string;
  readonly sizeBytes: number;
  readonly contentType: string;
}

/** What an address leads to: a page, or a picture alone. */
type ReadAnswer =
  | { readonly kind: 'page'; readonly base: URL; readonly properties: PageProperties }
  | { readonly kind: 'image'; readonly kept: KeptImage | null };

const PAGE_TYPES = /^(text\/html|application\/xhtml\+xml)\s*(;|$)/i;
const IMAGE_TYPES = /^image\//i;

/** Values that are numbers, where a page says a number. */
const NUMBERS: ReadonlySet<string> = new Set(['og:image:width', 'og:image:height']);

function isFailure(value: unknown): value is FetchFailure {
  const { kind } = (value ?? {}) as { readonly kind?: unknown };
  return kind === 'forbidden' || kind === 'failed';
}

/** Is null when the picture is too large, is none, or cannot be kept. */
async function keepImage(context: TroupeContext, page: FetchedPage): Promise<KeptImage | null> {
  const { config } = context.env;
  const writer = await createBlobWriter(mediaFolder(config.data.path), context.random);
  const bytesMax = Math.min(PREVIEW_IMAGE_BYTES_MAX, config.media.maxUploadSize);
  try {
    let bytes = 0;
    for await (const chunk of page.body) {
      bytes += chunk.byteLength;
      if (bytes > bytesMax) return null;
      await writer.write(chunk);
    }
    const contentType = await sniffType(writer.head());
    if (contentType === null || !canHaveThumbnail(contentType)) return null;
    const { sha256, sizeBytes, settle } = await writer.place();
    const blob = { sha256, sizeBytes, contentType, sniffedType: contentType, fileName: null };
    const stored = await context.ref('media').ask('media.store', { uploader: null, blob });
    if (isRefusal(stored)) return null;
    await settle();
    return { uri: `mxc://${config.server.name}/${stored.mediaId}`, sizeBytes, contentType };
  } catch (error) {
    if (isStorageFull(error)) return null;
    throw error;
  } finally {
    await writer.discard();
  }
}

function imageValues({ uri, sizeBytes, contentType }: KeptImage): Preview {
  return { 'og:image': uri, 'og:image:type': contentType, 'matrix:image:size': sizeBytes };
}

/** What a page says in words: not where its picture is, which clients would fetch themselves, and of a picture that was not kept nothing. */
function textValues(properties: PageProperties, hasImage: boolean): Preview {
  const values: Record<string, Json> = {};
  for (const [name, value] of properties) {
    if (/^og:image(:url|:secure_url|:type)?$/.test(name)) continue;
    if (!hasImage && name.startsWith('og:image')) continue;
    if (!NUMBERS.has(name)) values[name] = value;
    else if (/^\d{1,6}$/.test(value)) values[name] = Number(value);
  }
  return values;
}

/** Goes by the networks that the configuration names at the moment. */
function createLiveGuard(config: Pick<Config, 'media'>): AddressGuard {
  let { media } = config;
  const make = (): AddressGuard => createAddressGuard(media.urlPreviewDeny, media.urlPreviewAllow);
  let guard = make();
  return {
    isAllowed(address) {
      if (media !== config.media) {
        ({ media } = config);
        guard = make();
      }
      return guard.isAllowed(address);
    },
  };
}

function createFetcher({ clock, env }: TroupeContext): PageFetcher {
  const guard = createLiveGuard(env.config);
  return createPageFetcher({ guard, lookup: lookupBySystem, clock });
}

/** Makes what opens pages. */
export function createPreviewMaker(context: TroupeContext): PreviewMaker {
  const fetcher = createFetcher(context);
  const fetchImage = async (address: string, base: URL, language: string): Promise<KeptImage | null> => {
    if (!URL.canParse(address, base)) return null;
    const kept = await fetcher.fetch(new URL(address, base), language, (page) => keepImage(context, page));
    return isFailure(kept) ? null : kept;
  };

  const readAnswer = async (page: FetchedPage): Promise<ReadAnswer> => {
    const { contentType, url } = page;
    if (PAGE_TYPES.test(contentType))
      return { kind: 'page', base: url, properties: await readPage(page.body, contentType) };
    const kept = IMAGE_TYPES.test(contentType) ? await keepImage(context, page) : null;
    return { kind: 'image', kept };
  };

  return {
    async make(url, language) {
      const read = await fetcher.fetch(url, language, readAnswer);
      if (isFailure(read)) {
        context.log.debug('a page could not be read', { host: url.host, ...read });
        return read.kind === 'forbidden' ? null : {};
      }
      if (read.kind === 'image') return read.kept === null ? {} : imageValues(read.kept);
      const { properties, base } = read;
      const address = properties.get('og:image');
      const image = address === undefined ? null : await fetchImage(address, base, language);
      const values = textValues(properties, image !== null);
      return image === null ? values : { ...values, ...imageValues(image) };
    },
  };
}
