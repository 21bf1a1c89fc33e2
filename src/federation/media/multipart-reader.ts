/** The largest head of one part, in bytes. */
const HEAD_BYTES_MAX = 16_384;
/** What may stand before the first part, in bytes. */
const PREAMBLE_BYTES_MAX = 65_536;

const LINE_END = Buffer.from('\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');
const DASHES = '--';

/** What a multipart body holds, in its order. */
export type MultipartItem =
  | {
      readonly kind: 'part';
      /** Names in lower case. */
      readonly headers: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array };

/** A body that is not the multipart that it says it is. */
export class MultipartBroken extends Error {
  constructor(reason: string) {
    super(`the multipart body is broken: ${reason}`);
    this.name = 'MultipartBroken';
  }
}

/** The boundary that a `Content-Type` names; undefined for another type than multipart. RFC 2046, section 5.1.1. */
export function boundaryOf(contentType: string): string | undefined {
  if (!/^\s*multipart\/[a-z]+\s*;/i.test(contentType)) return undefined;
  const [, quoted, plain] = /;\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType) ?? [];
  return quoted ?? plain;
}

function parseHeaders(head: string): Record<string, string> {
  // A line that begins with a blank goes on with the one before.
  const lines = head.replaceAll(/\r\n[\t ]+/g, ' ').split('\r\n');
  return Object.fromEntries(
    lines.flatMap((line) => {
      const colon = line.indexOf(':');
      return colon === -1 ? [] : [[line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()]];
    }),
  );
}

/** A body of which a part has come. */
interface Incoming {
  buffer: Buffer;
  /** False at the end of the body. */
  more(): Promise<boolean>;
}

function incomingOf(chunks: AsyncIterable<Uint8Array>): Incoming {
  const iterator = chunks[Symbol.asyncIterator]();
  // The first delimiter begins with the end of a line, too.
  const incoming: Incoming = {
    buffer: LINE_END,
    async more() {
      const next = await iterator.next();
      if (next.done === true) return false;
      incoming.buffer = Buffer.concat([incoming.buffer, next.value]);
      return true;
    },
  };
  return incoming;
}

async function needMore(incoming: Incoming): Promise<void> {
  if (!(await incoming.more())) throw new MultipartBroken('it ends before its end');
}

/** Gives what stands before the delimiter as it comes, and takes the delimiter. */
async function* upTo(incoming: Incoming, delimiter: Buffer): AsyncGenerator<Buffer, void, undefined> {
  for (;;) {
    const { buffer } = incoming;
    const at = buffer.indexOf(delimiter);
    // Its last bytes may be the beginning of the delimiter.
    const end = at === -1 ? Math.max(0, buffer.length - delimiter.length + 1) : at;
    if (end > 0) yield buffer.subarray(0, end);
    incoming.buffer = buffer.subarray(at === -1 ? end : at + delimiter.length);
    if (at !== -1) return;
    await needMore(incoming);
  }
}

/** What follows a delimiter: null after the last. */
async function readHead(incoming: Incoming): Promise<Record<string, string> | null> {
  while (incoming.buffer.length < DASHES.length) await needMore(incoming);
  if (incoming.buffer.toString('latin1', 0, DASHES.length) === DASHES) return null;
  for (;;) {
    const end = incoming.buffer.indexOf(HEAD_END);
    if (end !== -1) {
      const head = incoming.buffer.toString('utf8', 0, end);
      incoming.buffer = incoming.buffer.subarray(end + HEAD_END.length);
      return parseHeaders(head);
    }
    if (incoming.buffer.length > HEAD_BYTES_MAX) throw new MultipartBroken('the head of a part is too long');
    await needMore(incoming);
  }
}

/**
 * Reads a multipart body piece by piece: of a part no more is in memory than what has come at once. RFC 2046, section 5.1.
 *
 * @throws MultipartBroken while it is read
 */
export async function* readMultipart(
  chunks: AsyncIterable<Uint8Array>,
  boundary: string,
): AsyncGenerator<MultipartItem, void, undefined> {
  const incoming = incomingOf(chunks);
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  let preambleBytes = 0;
  for await (const before of upTo(incoming, delimiter)) {
    preambleBytes += before.length;
    if (preambleBytes > PREAMBLE_BYTES_MAX)
      throw new MultipartBroken('too much stands before the first part');
  }
  for (;;) {
    const headers = await readHead(incoming);
    if (headers === null) return;
    yield { kind: 'part', headers };
    // An empty part has its delimiter at once, whose line end was that of the head.
    incoming.buffer = Buffer.concat([LINE_END, incoming.buffer]);
    let skipped = 0;
    for await (const bytes of upTo(incoming, delimiter)) {
      const skip = Math.min(LINE_END.length - skipped, bytes.length);
      skipped += skip;
      if (bytes.length > skip) yield { kind: 'bytes', bytes: bytes.subarray(skip) };
    }
  }
}
