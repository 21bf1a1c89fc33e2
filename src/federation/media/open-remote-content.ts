import { type Refusal, refuse } from '../../matrix/refusal.ts';
import type { FederationAnswer, FederationClient, FederationStream } from '../federation-client.ts';
import { boundaryOf, MultipartBroken, type MultipartItem, readMultipart } from './multipart-reader.ts';
import { fetchRedirected, type RedirectGround } from './redirected-content.ts';

/** How long another server may take until its answer begins, in milliseconds: it may wait for an upload itself. */
const BEGINNING_TIMEOUT_MS = 60_000;
/** How long it is asked to wait for content that is to come, in milliseconds. */
const UPLOAD_WAIT_MS = 20_000;

/** Content as it comes. */
export interface OpenContent {
  readonly kind: 'content';
  /** As the other server says it; null for none. */
  readonly contentType: string | null;
  readonly disposition: string | null;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** To be called when it has been read, or is not wanted. */
  readonly close: () => Promise<void>;
}

type NotStreamed = Exclude<FederationAnswer, { readonly kind: 'answered' }>;

const NOT_THERE = refuse('M_NOT_FOUND', 'Its server does not have this media.');
const NOT_YET = refuse('M_NOT_YET_UPLOADED', 'The content has not been uploaded yet.', { status: 504 });

function unavailable(): Refusal {
  return refuse('M_UNKNOWN', 'The media cannot be had from its server now.', { status: 502 });
}

function refusalOf(answer: NotStreamed): Refusal {
  if (answer.kind === 'unreachable') return unavailable();
  if (answer.errcode === 'M_NOT_YET_UPLOADED') return NOT_YET;
  return answer.status === 404 ? NOT_THERE : unavailable();
}

async function openRedirected(
  ground: RedirectGround,
  location: string,
  signal: AbortSignal,
): Promise<OpenContent | Refusal> {
  const found = URL.canParse(location) ? await fetchRedirected(ground, location, signal) : undefined;
  if (found === undefined) return unavailable();
  return {
    kind: 'content',
    contentType: found.headers['content-type'] ?? null,
    disposition: found.headers['content-disposition'] ?? null,
    bytes: found.body,
    close: found.close,
  };
}

async function* bytesOfPart(items: AsyncGenerator<MultipartItem, void>): AsyncGenerator<Uint8Array> {
  for await (const item of items) {
    if (item.kind === 'part') throw new MultipartBroken('it has more than two parts');
    yield item.bytes;
  }
}

function closing(streamed: FederationStream): () => Promise<void> {
  return () => {
    streamed.body.on('error', () => undefined).destroy();
    return Promise.resolve();
  };
}

/** The second part is the content, or says where that is; the first one says nothing yet. */
async function openMultipart(
  ground: RedirectGround,
  streamed: FederationStream,
  signal: AbortSignal,
): Promise<OpenContent | Refusal> {
  const close = closing(streamed);
  const boundary = boundaryOf(streamed.headers['content-type'] ?? '');
  if (boundary === undefined) {
    await close();
    return unavailable();
  }
  const items = readMultipart(streamed.body, boundary);
  let parts = 0;
  for (;;) {
    const { value: item, done } = await items.next();
    if (done === true) throw new MultipartBroken('it has less than two parts');
    if (item.kind !== 'part') continue;
    parts += 1;
    if (parts < 2) continue;
    const { location, 'content-type': contentType, 'content-disposition': disposition } = item.headers;
    if (location !== undefined) {
      await close();
      return openRedirected(ground, location, signal);
    }
    return {
      kind: 'content',
      contentType: contentType ?? null,
      disposition: disposition ?? null,
      bytes: bytesOfPart(items),
      close,
    };
  }
}

/** Servers from before 2024 know only the endpoint without authentication. */
async function openLegacy(
  client: FederationClient,
  ground: RedirectGround,
  serverName: string,
  mediaId: string,
  signal: AbortSignal,
): Promise<OpenContent | Refusal> {
  const streamed = await client.stream({
    destination: serverName,
    method: 'GET',
    path: `/_matrix/media/v3/download/${encodeURIComponent(serverName)}/${encodeURIComponent(mediaId)}`,
    query: { allow_remote: 'false', allow_redirect: 'true', timeout_ms: String(UPLOAD_WAIT_MS) },
    isSigned: false,
    timeoutMs: BEGINNING_TIMEOUT_MS,
    signal,
  });
  if (streamed.kind !== 'streaming') return refusalOf(streamed);
  const close = closing(streamed);
  const { location, 'content-type': contentType, 'content-disposition': disposition } = streamed.headers;
  if (streamed.status === 200)
    return {
      kind: 'content',
      contentType: contentType ?? null,
      disposition: disposition ?? null,
      bytes: streamed.body,
      close,
    };
  await close();
  return location === undefined ? unavailable() : openRedirected(ground, location, signal);
}

/**
 * Asks another server for its media: with authentication, and without where the server does not know better.
 * Server-Server API v1.19, `GET /_matrix/federation/v1/media/download/{mediaId}`.
 *
 * @returns the content, to be read to its end or closed; or a refusal: 404 M_NOT_FOUND, 504 M_NOT_YET_UPLOADED, 502 M_UNKNOWN
 * @throws Error (rejection, also while the content is read) when the connection breaks or the body is no multipart
 */
export async function openRemoteContent(
  client: FederationClient,
  ground: RedirectGround,
  serverName: string,
  mediaId: string,
  signal: AbortSignal,
): Promise<OpenContent | Refusal> {
  const streamed = await client.stream({
    destination: serverName,
    method: 'GET',
    path: `/_matrix/federation/v1/media/download/${encodeURIComponent(mediaId)}`,
    query: { timeout_ms: String(UPLOAD_WAIT_MS) },
    timeoutMs: BEGINNING_TIMEOUT_MS,
    signal,
  });
  if (streamed.kind === 'streaming') return openMultipart(ground, streamed, signal);
  const isUnknown =
    streamed.kind === 'refused' && streamed.status === 404 && streamed.errcode !== 'M_NOT_FOUND';
  return isUnknown ? openLegacy(client, ground, serverName, mediaId, signal) : refusalOf(streamed);
}
