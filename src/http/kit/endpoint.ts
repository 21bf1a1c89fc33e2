import type { Static, TSchema } from 'typebox';
import type { RateLimitClass } from '../../config/config.ts';
import type { Json } from '../../kit/json.ts';
import type { Logger } from '../../kit/logger.ts';
import type { Refusal } from '../../matrix/refusal.ts';
import type { AroundFile } from './file-body.ts';
import type { IncomingBody } from './incoming-body.ts';
import type { Services } from './services.ts';

export type HttpMethod = 'GET' | 'PUT' | 'POST' | 'DELETE' | 'PATCH';

/**
 * Who may call. `user`: an access token; `optional`: one may come along; `admin`: a server admin's; `server`: another server, by X-Matrix;
 * `none`: nobody is asked.
 */
export type EndpointAuth = 'none' | 'optional' | 'user' | 'admin' | 'server';

/** Whom most endpoints refuse: guests, who is suspended, who is locked. */
export type RestrictedCaller = 'guest' | 'suspended' | 'locked';

/** Whoever holds the access token of a request. */
export interface Caller {
  readonly userId: string;
  readonly deviceId: string;
  readonly isAdmin: boolean;
  readonly isGuest: boolean;
  readonly isSuspended: boolean;
  /** Hex SHA-256 of the access token. */
  readonly tokenHash: string;
}

/** Another server, whose signature of the request is right. */
export interface ServerCaller {
  readonly serverName: string;
}

/** A parameter schema that is not given: the handler gets no such field. */
type StaticOf<Schema> = Schema extends TSchema ? Static<Schema> : undefined;

type CallerOf<Auth extends EndpointAuth> = Auth extends 'none'
  ? null
  : Auth extends 'optional'
    ? Caller | null
    : Auth extends 'server'
      ? ServerCaller
      : Caller;

/** What a handler gets of a request: parsed, checked and typed. */
export interface EndpointRequest<
  Params extends TSchema | undefined,
  QueryString extends TSchema | undefined,
  Body extends TSchema | undefined,
  Auth extends EndpointAuth,
  Needs extends keyof Services,
> {
  readonly params: StaticOf<Params>;
  readonly query: StaticOf<QueryString>;
  readonly body: StaticOf<Body>;
  readonly caller: CallerOf<Auth>;
  /** Only what `needs` names. */
  readonly services: Pick<Services, Needs>;
  readonly log: Logger;
  /** The peer's address, for rate limits and device lists. */
  readonly remoteAddress: string;
  readonly userAgent: string;
  /** The `Accept-Language` header; empty for none. */
  readonly acceptLanguage: string;
  /** The `Accept` header; empty for none. */
  readonly accept: string;
  /** The body where it is no JSON; for endpoints without a `body` schema. */
  readonly incoming: IncomingBody;
  /** Aborted when the client has gone away, and when the server stops: then the answer that there is now is still sent. */
  readonly aborted: AbortSignal;
}

/** An answer: JSON with status 200 unless said otherwise. */
export interface Reply<Body = Json> {
  readonly kind: 'reply';
  readonly status: number;
  readonly body: Body;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that is a file: the kit streams it, and knows ranges, `HEAD` and `If-None-Match`. */
export interface FileReply {
  readonly kind: 'file';
  readonly path: string;
  /** The size of the whole file: it never changes under this path. */
  readonly sizeBytes: number;
  readonly contentType: string;
  /** Names the content, without quotation marks: other content has another one. */
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What is sent before and after the file, which makes it one part of an answer: then there are no ranges and no tag. */
  readonly around?: AroundFile;
}

/** Makes an answer of a file. */
export function fileReply(file: Omit<FileReply, 'kind'>): FileReply {
  return { kind: 'file', ...file };
}

/** A body that is JSON text already and is sent as it is. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Makes an answer with another status or with headers. */
export function reply<Body>(
  status: number,
  body: Body,
  headers: Readonly<Record<string, string>> = {},
): Reply<Body> {
  return { kind: 'reply', status, body, headers };
}

/** One endpoint: a file of `src/http/<api>/<area>/` exports it as `endpoint`. */
export interface Endpoint<
  Params extends TSchema | undefined = TSchema | undefined,
  QueryString extends TSchema | undefined = TSchema | undefined,
  Body extends TSchema | undefined = TSchema | undefined,
  ReplyBody extends TSchema = TSchema,
  Auth extends EndpointAuth = EndpointAuth,
  Needs extends keyof Services = keyof Services,
> {
  readonly method: HttpMethod;
  /**
   * As the specification writes it, with `{roomId}` for parameters. A parameter is never empty, but for an optional last one,
   * `{stateKey?}`: it is the empty text when the path ends before it, with or without the slash.
   */
  readonly path: string;
  /** Older or unstable paths with the same behaviour and the same parameters. */
  readonly aliases?: readonly string[];
  /** Specification, version and section. */
  readonly spec: string;
  readonly auth: Auth;
  /**
   * Of those whom most endpoints refuse, who may call: guests as the specification lists it (Client-Server API v1.19, "Guest Access"); who is
   * suspended, where others do not notice it ("Account suspension"; GET is allowed without saying so); who is locked, to log out.
   */
  readonly allows?: readonly RestrictedCaller[];
  /** The class of rate limit, or null for none. */
  readonly rateLimit: RateLimitClass | null;
  /** Largest accepted body in bytes; a named constant. The kit's default when absent. */
  readonly bodyBytesMax?: number;
  /** Path parameters: strings, percent-decoded; all are there without a schema too, as `Record<string, string>`. */
  readonly params?: Params;
  /** Query string: the kit converts to what the schema asks for (integer, boolean, list of texts). */
  readonly query?: QueryString;
  /** The JSON body. Unknown fields are kept and allowed. Absent: the body is not read. */
  readonly body?: Body;
  /** What a 200 holds; checked by the tests' HTTP client. */
  readonly reply: ReplyBody;
  readonly needs: readonly Needs[];
  /** Gives the body of a 200, a {@link Reply}, a {@link FileReply}, or a refusal. A throw is a defect: 500 `M_UNKNOWN`, logged with its request id. */
  handle(
    request: EndpointRequest<Params, QueryString, Body, Auth, Needs>,
  ): Promise<Static<ReplyBody> | Reply<unknown> | FileReply | JsonText | Refusal>;
}

/** Defines an endpoint; the handler's types flow from the literal. */
export function defineEndpoint<
  const Auth extends EndpointAuth,
  const Needs extends keyof Services,
  ReplyBody extends TSchema,
  Params extends TSchema | undefined = undefined,
  QueryString extends TSchema | undefined = undefined,
  Body extends TSchema | undefined = undefined,
>(
  endpoint: Endpoint<Params, QueryString, Body, ReplyBody, Auth, Needs>,
): Endpoint<Params, QueryString, Body, ReplyBody, Auth, Needs> {
  return endpoint;
}
