import { createServer, type Server, type ServerResponse } from 'node:http';
import { Agent, createServer as createTlsServer, request as httpsRequest } from 'node:https';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ownKeyDocument, readKeyDocument } from '../../src/federation/trust/key-document.ts';
import { parseXMatrix, verifyXMatrix, xMatrixHeader } from '../../src/federation/x-matrix.ts';
import { isJsonObject, type Json, type JsonObject } from '../../src/kit/json.ts';
import { type ServerKey, type VerifyKey, verifyKeyOf } from '../../src/matrix/signing.ts';
import { FOREIGN_KEY } from './foreign-room.ts';
import { loopbackCertificate, testAuthority } from './test-certificates.ts';

/** A request that came to a peer. */
export interface PeerRequest {
  readonly method: string;
  /** As it stood in the request line, without the query string. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  /** The asker's end of the connection. */
  readonly remotePort: number;
  /** The parameters of the pattern that the answer was scripted for, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** The JSON body; undefined for none. */
  readonly body: Json | undefined;
  /** The server whose signature it carries, which was checked; null without one. */
  readonly origin: string | null;
}

/** What a peer does with a request: a JSON body with status 200, a whole answer, nothing at all, or hanging up. */
export type PeerReply =
  | {
      readonly json: JsonObject;
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | {
      readonly bytes: Uint8Array | string;
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | 'silence'
  | 'hang-up';

export type PeerHandler = (request: PeerRequest) => PeerReply | Promise<PeerReply>;

/** Whom a peer asks. */
export interface PeerTarget {
  readonly serverName: string;
  /** Where it listens without TLS; by TLS at the address that is its name when absent. */
  readonly plain?: { readonly host: string; readonly port: number };
}

/** What became of a request of a peer. */
export interface PeerAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
  /** The JSON of the body; null for an answer that is none. */
  readonly body: Json;
}

export interface PeerAsk {
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: JsonObject;
  /** False: without X-Matrix. */
  readonly isSigned?: boolean;
  /** The whole header in place of the right one. */
  readonly authorization?: string;
}

/**
 * Another server on a loopback address, with TLS by a certificate of {@link testAuthority}, played by a test: it checks who asks, answers what
 * the test tells it to, notes what came, and asks as a server does. What is not scripted is 404 `M_UNRECOGNIZED`, but for its keys, its version,
 * and transactions, which it takes.
 *
 * A Troupe that talks to it needs `federation.ca_file` (or `testAuthority()`'s PEM), and `federation.allow_private_addresses`.
 */
export interface FederationPeer {
  /** `127.0.0.1:PORT`: found without any name server. */
  readonly serverName: string;
  readonly port: number;
  /** By which it signs requests; events of `makeForeignRoom` too, unless told otherwise. */
  readonly key: ServerKey;
  /** Everything that came, the oldest first. */
  readonly requests: readonly PeerRequest[];
  /** Scripts the answer to a method and a path with `{parameters}`; the last one that fits wins. */
  on(method: string, pattern: string, handler: PeerHandler): void;
  /** The first request so far, or from now on, that `matches`. */
  heard(what: string, matches: (request: PeerRequest) => boolean): Promise<PeerRequest>;
  /** The PDUs and EDUs of all transactions that came. */
  pdus(): readonly JsonObject[];
  edus(): readonly JsonObject[];
  /** Believes requests of a server that are signed by a key, without asking it. */
  trust(serverName: string, key: VerifyKey): void;
  /** @param path percent-encoded, without query string */
  ask(target: PeerTarget, method: string, path: string, ask?: PeerAsk): Promise<PeerAnswer>;
  /** Sends a transaction. */
  send(
    target: PeerTarget,
    content: {
      readonly pdus?: readonly JsonObject[];
      readonly edus?: readonly JsonObject[];
      readonly txnId?: string;
    },
  ): Promise<PeerAnswer>;
  /** Nobody listens there any more, and all connections end. */
  goDown(): Promise<void>;
  /** It listens again, at the same address. */
  comeBack(): Promise<void>;
  close(): Promise<void>;
}

export interface PeerOptions {
  readonly key?: ServerKey;
  /** Without TLS. */
  readonly isPlain?: boolean;
  /** Another name than its address, for tests of discovery. */
  readonly serverName?: string;
  /** Names that its certificate is for; those of the loopback interface when absent. */
  readonly certifiedNames?: readonly string[];
  readonly host?: string;
}

/** A transaction is heard within this time, or not at all, in milliseconds. */
const PATIENCE_MS = 10_000;

interface Script {
  readonly method: string;
  readonly matcher: RegExp;
  readonly handler: PeerHandler;
}

function scriptOf(method: string, pattern: string, handler: PeerHandler): Script {
  const source = pattern
    .split(/(\{\w+\})/)
    .map((part) =>
      part.startsWith('{') ? `(?<${part.slice(1, -1)}>[^/]+)` : part.replaceAll('.', String.raw`\.`),
    )
    .join('');
  return { method, matcher: new RegExp(`^${source}$`), handler };
}

async function readBytes(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function jsonOf(bytes: Buffer): Json | undefined {
  try {
    return JSON.parse(bytes.toString()) as Json;
  } catch {
    // What is not JSON is looked at as bytes.
    return undefined;
  }
}

function queryText(query: PeerAsk['query'] = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const one of typeof value === 'string' ? [value] : value) search.append(name, one);
  return search.size === 0 ? '' : `?${search.toString()}`;
}

function writeReply(response: ServerResponse, reply: PeerReply): void {
  if (reply === 'silence') return;
  if (reply === 'hang-up') {
    response.destroy();
    return;
  }
  const isJson = 'json' in reply;
  response.writeHead(reply.status ?? 200, {
    'content-type': isJson ? 'application/json' : 'application/octet-stream',
    ...reply.headers,
  });
  response.end(isJson ? JSON.stringify(reply.json) : reply.bytes);
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

/** What one peer remembers. */
interface State {
  readonly name: string;
  readonly key: ServerKey;
  readonly agent: Agent;
  readonly requests: PeerRequest[];
  readonly scripts: Script[];
  readonly trusted: Map<string, VerifyKey>;
  readonly watchers: Set<() => void>;
}

async function answerOf(message: IncomingMessage): Promise<PeerAnswer> {
  const bytes = await readBytes(message);
  return { status: message.statusCode ?? 0, headers: message.headers, bytes, body: jsonOf(bytes) ?? null };
}

function ask(
  state: State,
  target: PeerTarget,
  method: string,
  path: string,
  options: PeerAsk = {},
): Promise<PeerAnswer> {
  const { body, isSigned = true } = options;
  const uri = `${path}${queryText(options.query)}`;
  const signed = (): string =>
    xMatrixHeader({ method, uri, content: body }, state.name, target.serverName, state.key);
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    ...(isSigned && { authorization: options.authorization ?? signed() }),
    ...(payload !== undefined && {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(payload)),
    }),
  };
  const to = { method, path: uri, headers };
  return new Promise((resolve, reject) => {
    const take = (message: IncomingMessage): void => void answerOf(message).then(resolve, reject);
    const url = new URL(`https://${target.serverName}`);
    const outgoing =
      target.plain === undefined
        ? httpsRequest({ ...to, host: url.hostname, port: url.port, agent: state.agent }, take)
        : httpRequest({ ...to, ...target.plain, agent: false }, take);
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}

async function keyOf(state: State, serverName: string, keyId: string): Promise<VerifyKey | undefined> {
  const trusted = state.trusted.get(serverName);
  if (trusted !== undefined) return trusted;
  const { body } = await ask(state, { serverName }, 'GET', '/_matrix/key/v2/server', { isSigned: false });
  const keys = isJsonObject(body) ? (readKeyDocument(body, serverName)?.keys ?? []) : [];
  const found = keys.find((key) => key.keyId === keyId);
  if (found !== undefined) state.trusted.set(serverName, found);
  return found;
}

/** The server that signed a request; null for none, undefined when the signature is wrong. */
async function originOf(
  state: State,
  request: IncomingMessage,
  content: Json | undefined,
): Promise<string | null | undefined> {
  const header = request.headers.authorization;
  if (header === undefined) return null;
  const claim = parseXMatrix(header);
  if (claim === undefined || claim.destination !== state.name) return undefined;
  const key = await keyOf(state, claim.origin, claim.keyId);
  const signed = { method: request.method ?? '', uri: request.url ?? '', content };
  return key !== undefined && verifyXMatrix(claim, signed, key) ? claim.origin : undefined;
}

async function serve(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const bytes = await readBytes(request);
  const body = bytes.length === 0 ? undefined : jsonOf(bytes);
  const origin = await originOf(state, request, body);
  if (origin === undefined) {
    const json = { errcode: 'M_UNAUTHORIZED', error: 'The signature is wrong.' };
    writeReply(response, { status: 401, json });
    return;
  }
  const [path = '', search = ''] = (request.url ?? '').split('?');
  const method = request.method ?? '';
  const script = state.scripts.findLast((one) => one.method === method && one.matcher.test(path));
  const groups = script?.matcher.exec(path)?.groups ?? {};
  const params = Object.fromEntries(
    Object.entries(groups).map(([name, text]) => [name, decodeURIComponent(text)]),
  );
  const query = new URLSearchParams(search);
  const { headers } = request;
  const remotePort = request.socket.remotePort ?? 0;
  const heard = { method, path, query, headers, remotePort, params, body, origin };
  state.requests.push(heard);
  for (const look of state.watchers) look();
  const unknown = { status: 404, json: { errcode: 'M_UNRECOGNIZED', error: 'Nobody scripted this.' } };
  writeReply(response, script === undefined ? unknown : await script.handler(heard));
}

/** The lists of all transactions, in the order in which they came. */
function fromTransactions(state: State, name: 'pdus' | 'edus'): readonly JsonObject[] {
  return state.requests.flatMap(({ path, body }) => {
    const list = path.startsWith('/_matrix/federation/v1/send/') && isJsonObject(body) ? body[name] : [];
    return Array.isArray(list) ? list.filter((item) => isJsonObject(item)) : [];
  });
}

function hearing(state: State, what: string, matches: (request: PeerRequest) => boolean) {
  return new Promise<PeerRequest>((resolve, reject) => {
    const end = (): void => {
      state.watchers.delete(look);
      clearTimeout(timer);
    };
    const look = (): void => {
      const found = state.requests.find((request) => matches(request));
      if (found === undefined) return;
      end();
      resolve(found);
    };
    const timer = setTimeout(() => {
      end();
      const seen = state.requests.map(({ method, path }) => `${method} ${path}`).join(', ');
      reject(new Error(`${state.name} waited in vain for ${what}; it heard: ${seen}`));
    }, PATIENCE_MS);
    state.watchers.add(look);
    look();
  });
}

function scriptDefaults({ scripts, name, key }: State): void {
  scripts.push(
    scriptOf('GET', '/_matrix/key/v2/server', () => {
      const own = { ...verifyKeyOf(key), retiredTs: null };
      return { json: ownKeyDocument(name, [own], [key], Date.now()) };
    }),
    scriptOf('GET', '/_matrix/federation/v1/version', () => ({
      json: { server: { name: 'Peer', version: '1' } },
    })),
    scriptOf('PUT', '/_matrix/federation/v1/send/{txnId}', () => ({ json: { pdus: {} } })),
  );
}

/** Opens a peer on a free port. */
export async function openFederationPeer(options: PeerOptions = {}): Promise<FederationPeer> {
  const { key = FOREIGN_KEY, isPlain = false, host = '127.0.0.1' } = options;
  const { certificate, key: privateKey } =
    options.certifiedNames === undefined
      ? loopbackCertificate()
      : testAuthority().issue(options.certifiedNames);
  const tls = { cert: certificate, key: privateKey };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void =>
    void serve(state, request, response).catch(() => response.destroy());
  const open = (): Server => (isPlain ? createServer(onRequest) : createTlsServer(tls, onRequest));
  let server = open();
  const port = await listen(server, host, 0);
  const state: State = {
    name: options.serverName ?? `${host}:${port}`,
    key,
    agent: new Agent({ ca: testAuthority().certificate, keepAlive: true }),
    requests: [],
    scripts: [],
    trusted: new Map(),
    watchers: new Set(),
  };
  scriptDefaults(state);
  let transactions = 0;
  const goDown = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return {
    serverName: state.name,
    port,
    key,
    requests: state.requests,
    on: (method, pattern, handler) => void state.scripts.push(scriptOf(method, pattern, handler)),
    heard: (what, matches) => hearing(state, what, matches),
    pdus: () => fromTransactions(state, 'pdus'),
    edus: () => fromTransactions(state, 'edus'),
    trust: (serverName, trusted) => void state.trusted.set(serverName, trusted),
    ask: (target, method, path, asked) => ask(state, target, method, path, asked),
    send(target, { pdus = [], edus = [], txnId }) {
      transactions += 1;
      const path = `/_matrix/federation/v1/send/${encodeURIComponent(txnId ?? `peer-${transactions}`)}`;
      const body = { origin: state.name, origin_server_ts: Date.now(), pdus, edus };
      return ask(state, target, 'PUT', path, { body });
    },
    goDown,
    async comeBack() {
      server = open();
      await listen(server, host, port);
    },
    async close() {
      state.agent.destroy();
      await goDown();
    },
  };
}
