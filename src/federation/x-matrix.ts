import type { Json, JsonObject } from '../kit/json.ts';
import { canonicalJson } from '../matrix/events/canonical-json.ts';
import { canonicalText } from '../matrix/events/canonical-text.ts';
import { parseServerName } from '../matrix/identifiers/server-name.ts';
import { type ServerKey, type VerifyKey, signText, verifyText } from '../matrix/signing.ts';

/** What an X-Matrix header says. */
export interface XMatrix {
  readonly origin: string;
  /** Null from servers that are older than version 1.3 of the specification. */
  readonly destination: string | null;
  /** `ed25519:…` */
  readonly keyId: string;
  /** Base64. */
  readonly signature: string;
}

/** The request that is signed. */
export interface SignedRequest {
  readonly method: string;
  /** The request target as it stands in the request line: path and query string, still percent-encoded. */
  readonly uri: string;
  /** The JSON body; undefined for none. */
  readonly content?: Json | undefined;
  /** The same as {@link canonicalContent} gives it, where that is at hand. */
  readonly canonicalText?: string | undefined;
  /** The same as it was received: where a number was written in another way than a double is, what was signed is found in it. */
  readonly contentText?: string | undefined;
}

/** The longest header that is read: three names of 255 characters and a signature leave much of it unused. */
export const X_MATRIX_LENGTH_MAX = 4_096;

const SCHEME = /^X-Matrix +/i;
/** RFC 9110: a token, or a quoted string; older servers put colons into what should be a token, and the specification asks to take them. */
const PARAMETER =
  /[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))[ \t]*(?:,|$)/y;

function parametersOf(text: string): ReadonlyMap<string, string> | undefined {
  const parameters = new Map<string, string>();
  PARAMETER.lastIndex = 0;
  while (PARAMETER.lastIndex < text.length) {
    const match = PARAMETER.exec(text);
    if (match === null) return undefined;
    const [, name = '', quoted, plain = ''] = match;
    const key = name.toLowerCase();
    if (parameters.has(key)) return undefined;
    parameters.set(key, quoted === undefined ? plain : quoted.replaceAll(/\\(.)/g, '$1'));
  }
  return parameters;
}

/**
 * Reads an `Authorization` header of the scheme X-Matrix. Names and the scheme in any case, values quoted or not, unknown parameters ignored.
 * Server-Server API v1.19, "Request Authentication"; RFC 9110, section 11.4.
 *
 * @returns undefined for another scheme, or one that is broken
 */
export function parseXMatrix(header: string): XMatrix | undefined {
  const scheme = SCHEME.exec(header);
  if (scheme === null || header.length > X_MATRIX_LENGTH_MAX) return undefined;
  const parameters = parametersOf(header.slice(scheme[0].length).trimEnd());
  const origin = parameters?.get('origin');
  const keyId = parameters?.get('key');
  const signature = parameters?.get('sig');
  if (origin === undefined || keyId === undefined || signature === undefined) return undefined;
  if (parseServerName(origin) === undefined || !keyId.startsWith('ed25519:')) return undefined;
  return { origin, destination: parameters?.get('destination') ?? null, keyId, signature };
}

/**
 * The text that is signed.
 *
 * @param content as canonical JSON; undefined for none
 */
function signedText(
  { method, uri }: SignedRequest,
  origin: string,
  destination: string | null,
  content: string | undefined,
): string {
  const request: JsonObject = { method, uri, origin, ...(destination !== null && { destination }) };
  const text = canonicalJson(request, 'lenient') ?? '';
  // "content" comes before all other names.
  return content === undefined ? text : `{"content":${content},${text.slice(1)}`;
}

/**
 * A body as it is signed; undefined for none, or one that cannot be written so. Bodies are what the peer made them: numbers that canonical JSON
 * of new rooms forbids are no reason to refuse a request.
 */
export function canonicalContent({
  content,
  canonicalText: text,
}: Pick<SignedRequest, 'content' | 'canonicalText'>): string | undefined {
  return content === undefined ? undefined : (text ?? canonicalJson(content, 'lenient'));
}

/** The value of the `Authorization` header with which this server asks `destination`. Throws for a body that is no canonical JSON. */
export function xMatrixHeader(
  request: SignedRequest,
  origin: string,
  destination: string,
  key: ServerKey,
): string {
  const content = canonicalContent(request);
  if (request.content !== undefined && content === undefined)
    throw new Error(`the body for ${destination} is not canonical JSON`);
  const text = signedText(request, origin, destination, content);
  return `X-Matrix origin="${origin}",destination="${destination}",key="${key.keyId}",sig="${signText(text, key)}"`;
}

/** True when the header's signature of the request is right by `key`, which must be the one that the header names. */
export function verifyXMatrix(header: XMatrix, request: SignedRequest, key: VerifyKey): boolean {
  if (key.keyId !== header.keyId) return false;
  const isSignatureOf = (content: string | undefined): boolean =>
    verifyText(signedText(request, header.origin, header.destination, content), header.signature, key);
  const { content, contentText } = request;
  if (content === undefined) return isSignatureOf(undefined);
  const canonical = canonicalContent(request);
  if (canonical !== undefined && isSignatureOf(canonical)) return true;
  if (contentText === undefined) return false;
  const asWritten = canonicalText(contentText);
  return asWritten !== canonical && isSignatureOf(asWritten);
}
