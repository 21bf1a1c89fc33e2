import { getEncoding } from 'encoding-sniffer';
import { Parser } from 'htmlparser2';

/** How much of a page is read, in bytes: what a page says of itself stands at its beginning. */
export const PAGE_BYTES_MAX = 1_048_576;
/** How many values of one page are kept, and how long one may be, in characters. */
export const VALUES_MAX = 64;
export const VALUE_LENGTH_MAX = 2_000;
/** Elements within each other: the head of an honest page has four. */
const DEPTH_MAX = 16;
/** How much of a page is looked at for its encoding, in bytes. */
const SNIFFED_BYTES = 1_024;

/** What a page says of itself: OpenGraph properties by name, such as `og:title`. */
export type PageProperties = ReadonlyMap<string, string>;

/** The elements of a head: any other one begins the body, whether or not the page says so. */
const HEAD_ELEMENTS: ReadonlySet<string> = new Set([
  'html',
  'head',
  'title',
  'meta',
  'link',
  'base',
  'script',
  'style',
  'noscript',
  'template',
]);
/** Whatever stands in these is not the head's. */
const OPAQUE_ELEMENTS: ReadonlySet<string> = new Set(['noscript', 'template']);

/** What else says the same, best first. */
const SECOND_SOURCES: Readonly<Record<string, readonly string[]>> = {
  'og:title': ['twitter:title', 'title'],
  'og:description': ['twitter:description', 'description'],
  'og:image': ['og:image:secure_url', 'og:image:url', 'twitter:image', 'twitter:image:src', 'icon'],
};

const META_NAMES = /^(og:[\w:.-]+|twitter:(title|description|image|image:src)|description)$/;
const ICON_RELATIONS: ReadonlySet<string> = new Set([
  'icon',
  'apple-touch-icon',
  'apple-touch-icon-precomposed',
]);

function tidied(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim().slice(0, VALUE_LENGTH_MAX).toWellFormed();
}

type Attributes = Readonly<Record<string, string>>;

interface Collector {
  /** The first of a name counts. */
  add(name: string, value: string): void;
  readonly values: Map<string, string>;
}

function createCollector(): Collector {
  const values = new Map<string, string>();
  return {
    values,
    add(name, value) {
      const text = tidied(value);
      if (text !== '' && !values.has(name) && values.size < VALUES_MAX) values.set(name, text);
    },
  };
}

function collectMeta(collector: Collector, attributes: Attributes): void {
  const name = (attributes['property'] ?? attributes['name'] ?? '').toLowerCase();
  if (META_NAMES.test(name)) collector.add(name, attributes['content'] ?? '');
}

function collectLink(collector: Collector, attributes: Attributes): void {
  const relations = (attributes['rel'] ?? '').toLowerCase().split(/\s+/);
  if (relations.some((relation) => ICON_RELATIONS.has(relation)))
    collector.add('icon', attributes['href'] ?? '');
}

function withSecondSources(values: Map<string, string>): PageProperties {
  const properties = new Map([...values].filter(([name]) => name.startsWith('og:')));
  for (const [name, sources] of Object.entries(SECOND_SOURCES)) {
    const value = [name, ...sources].map((source) => values.get(source)).find((found) => found !== undefined);
    if (value !== undefined) properties.set(name, value);
  }
  return properties;
}

/** Reads the head of a page, piece by piece. */
interface HeadReader {
  /** @returns false when there is nothing more to learn */
  write(text: string): boolean;
  properties(): PageProperties;
}

function createHeadReader(): HeadReader {
  const collector = createCollector();
  let depth = 0;
  let opaqueDepth = 0;
  let title: string | null = null;
  let isOver = false;
  const stop = (): void => {
    isOver = true;
    parser.pause();
  };
  const parser: Parser = new Parser({
    onopentag(name, attributes) {
      depth += 1;
      if (OPAQUE_ELEMENTS.has(name)) opaqueDepth += 1;
      if (depth > DEPTH_MAX || (opaqueDepth === 0 && !HEAD_ELEMENTS.has(name))) stop();
      else if (opaqueDepth > 0) return;
      else if (name === 'meta') collectMeta(collector, attributes);
      else if (name === 'link') collectLink(collector, attributes);
      else if (name === 'title') title = '';
    },
    ontext(text) {
      if (title !== null && title.length < VALUE_LENGTH_MAX) title += text;
    },
    onclosetag(name) {
      depth -= 1;
      if (OPAQUE_ELEMENTS.has(name)) opaqueDepth -= 1;
      if (name === 'title' && title !== null) {
        collector.add('title', title);
        title = null;
      } else if (name === 'head') stop();
    },
  });
  return {
    write(text) {
      if (!isOver) parser.write(text);
      return !isOver;
    },
    properties: () => withSecondSources(collector.values),
  };
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s;"]+)/i;

function decoderFor(head: Buffer, contentType: string): TextDecoder {
  const label = CHARSET.exec(contentType)?.[1];
  const options = label === undefined ? {} : { transportLayerEncodingLabel: label };
  try {
    return new TextDecoder(
      getEncoding(head, { defaultEncoding: 'utf-8', maxBytes: SNIFFED_BYTES, ...options }),
    );
  } catch (error) {
    // An encoding that has a name and that nobody can decode.
    if (error instanceof RangeError) return new TextDecoder();
    throw error;
  }
}

/**
 * Reads what a page says of itself: its OpenGraph properties, and its title, description and icon in their place. Stops where the body
 * begins, and after {@link PAGE_BYTES_MAX}.
 *
 * @param contentType its header, for the encoding
 */
export async function readPage(
  body: AsyncIterable<Uint8Array>,
  contentType: string,
): Promise<PageProperties> {
  const reader = createHeadReader();
  let decoder: TextDecoder | null = null;
  let held = Buffer.alloc(0);
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    const isLast = bytes >= PAGE_BYTES_MAX;
    const kept = isLast ? chunk.subarray(0, chunk.byteLength - (bytes - PAGE_BYTES_MAX)) : chunk;
    held = decoder === null ? Buffer.concat([held, kept]) : Buffer.from(kept);
    if (decoder === null && held.byteLength < SNIFFED_BYTES && !isLast) continue;
    decoder ??= decoderFor(held, contentType);
    if (!reader.write(decoder.decode(held, { stream: true })) || isLast) return reader.properties();
  }
  if (decoder === null) reader.write(decoderFor(held, contentType).decode(held));
  return reader.properties();
}
