import type { Dispatcher } from 'undici';
import { type Json, type JsonObject, isJsonObject } from '../../kit/json.ts';
import type { FederationAnswer } from '../federation-client.ts';

/** No whole answer. */
export type Unreachable = Extract<FederationAnswer, { readonly kind: 'unreachable' }>;

/** How deep lists and objects of an answer may nest: what follows goes through it by recursion. Events nest less, if they are to be signed. */
export const ANSWER_DEPTH_MAX = 1_000;

/** What a proxy says when the server behind it is gone. */
const GATEWAY_STATUSES: ReadonlySet<number> = new Set([502, 503, 504]);

/** Something answered, but it is of no use. */
export class AnswerUnusable extends Error {
  /** True: what answered is not the server, which is not there. */
  readonly isServerGone: boolean;

  constructor(reason: string, isServerGone = false) {
    super(reason);
    this.name = 'AnswerUnusable';
    this.isServerGone = isServerGone;
  }
}

/** Says why there is no whole answer. */
export function unreachable(reason: string, retryTs: number | null = null): Unreachable {
  return { kind: 'unreachable', reason, retryTs };
}

/** Headers as undici has them, names in lower case. */
export function headersOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name.toLowerCase(), Array.isArray(value) ? value.join(', ') : value]],
    ),
  );
}

/** The whole body as text; undefined when it is longer than it may be: then the rest is not read. */
export async function readText(
  answer: Pick<Dispatcher.ResponseData, 'body'>,
  bytesMax: number,
): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body) {
    bytes += (chunk as Buffer).length;
    if (bytes > bytesMax) {
      answer.body.destroy();
      return undefined;
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks, bytes).toString();
}

/** Recursion is safe: it ends at the bound. */
function isDeeper(value: Json, depthMax: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depthMax === 0) return true;
  return Object.values(value).some((item: Json) => isDeeper(item, depthMax - 1));
}

/** @throws AnswerUnusable when it nests too deep */
function parseObject(text: string): JsonObject | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (!isJsonObject(json)) return undefined;
  if (isDeeper(json, ANSWER_DEPTH_MAX)) throw new AnswerUnusable('the answer nests too deep');
  return json;
}

/**
 * Reads an answer that is JSON, whole. What is broken inside of it is not looked for: one broken event shall not spoil a list of good ones.
 *
 * @throws (rejection) AnswerUnusable; whatever the connection does
 */
export async function readAnswer(
  answer: Dispatcher.ResponseData,
  bytesMax: number,
): Promise<Exclude<FederationAnswer, Unreachable>> {
  const status = answer.statusCode;
  const text = await readText(answer, bytesMax);
  if (text === undefined) throw new AnswerUnusable('the answer is too large');
  const body = parseObject(text);
  if (status === 200) {
    if (body === undefined) throw new AnswerUnusable('the answer is no JSON object');
    return { kind: 'answered', body };
  }
  if (body === undefined && GATEWAY_STATUSES.has(status))
    throw new AnswerUnusable(`HTTP ${status} from something in front of it`, true);
  const { errcode, error } = body ?? {};
  return {
    kind: 'refused',
    status,
    errcode: typeof errcode === 'string' ? errcode : 'M_UNKNOWN',
    error: typeof error === 'string' ? error : `HTTP ${status}`,
    body: body ?? {},
  };
}
