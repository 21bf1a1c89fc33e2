import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Format } from 'typebox/format';
import { Compile } from 'typebox/schema';
import { createRouteIndex, type RouteIndex } from '../../src/http/kit/route-index.ts';
import { isJsonObject, type Json } from '../../src/kit/json.ts';
import { findExemption, hasOverlappingAnswers } from './spec-exemptions.ts';

/** The specification's OpenAPI documents: beside the repository, for whoever has them. */
const OPENAPI_FOLDER = path.resolve(import.meta.dirname, '../../../shared/spec/openapi');

const DOCUMENTS = ['client-server.json', 'server-server.json'];

/** How many errors of one answer are told. */
const TOLD_ERRORS_MAX = 5;

const JSON_TYPE = 'application/json';

interface Response {
  readonly content?: Readonly<Record<string, { readonly schema?: Record<string, unknown> }>>;
}

interface Operation {
  readonly responses?: Readonly<Record<string, Response>>;
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** What of an answer is looked at. */
export interface SeenAnswer {
  readonly status: number;
  /** The `Content-Type` header; null for none. */
  readonly contentType: string | null;
  /** The JSON of the body; null where it is none. */
  readonly body: Json;
}

/** What is wrong with something; empty when nothing is. */
type Problems = readonly string[];
type ValueCheck = (value: unknown) => Problems;

/** What the specification says of one status. */
interface DocumentedStatus {
  readonly contentTypes: readonly string[];
  readonly check: ValueCheck;
}

/** An operation of the specification and its statuses. */
interface DocumentedOperation {
  /** As the specification writes it: `GET /_matrix/client/v3/sync`. */
  readonly name: string;
  readonly statuses: ReadonlyMap<string, DocumentedStatus>;
}

/** Checks answers against what the specification says of them. */
export interface SpecAnswers {
  /** How many operations are known; 0 when the documents are not there and nothing is checked. */
  readonly operations: number;
  /**
   * What is wrong with an answer; empty when nothing is. An error is `{errcode, error}` as JSON, and what its operation says of its status.
   * Anything else has a status and a body that its operation documents.
   *
   * @param requestPath without the query string
   */
  problems(method: string, requestPath: string, answer: SeenAnswer): Problems;
}

/** Loose on purpose: the grammar of identifiers has tests of its own. */
const FIRST_CHARACTERS: Readonly<Record<string, string>> = {
  'mx-user-id': '@',
  'mx-room-id': '!',
  'mx-room-alias': '#',
  'mx-event-id': '$',
  'mx-mxc-uri': 'mxc://',
};

function compileCheck(schema: Record<string, unknown>): ValueCheck {
  let compiled: ReturnType<typeof Compile> | null = null;
  return (value) => {
    compiled ??= Compile(schema);
    if (compiled.Check(value)) return [];
    const [, errors] = compiled.Errors(value);
    return errors
      .slice(0, TOLD_ERRORS_MAX)
      .map(({ instancePath, message }) => `${instancePath || 'the answer'} ${message}`);
  };
}

function documentedStatus(operation: string, { content = {} }: Response): DocumentedStatus {
  const written = content[JSON_TYPE]?.schema;
  const loosens = written !== undefined && 'oneOf' in written && hasOverlappingAnswers(operation);
  const { oneOf, ...rest } = written ?? {};
  const schema = loosens ? { ...rest, anyOf: oneOf } : written;
  return {
    contentTypes: Object.keys(content),
    check: schema === undefined ? () => [] : compileCheck(schema),
  };
}

const checkError = compileCheck({
  type: 'object',
  required: ['errcode', 'error'],
  properties: { errcode: { type: 'string', pattern: '^[A-Z0-9_.]+$' }, error: { type: 'string' } },
});

/** The specification lets the slash before an empty state key be left out, and says so in words alone. */
function asRoute(written: string): string {
  return written.replace(/\/\{stateKey\}$/, '/{stateKey?}');
}

const METHODS = new Set(['get', 'put', 'post', 'delete']);

function loadOperations(): readonly (DocumentedOperation & { method: string; path: string })[] {
  const operations = new Map<string, DocumentedOperation & { method: string; path: string }>();
  for (const name of DOCUMENTS) {
    const document = JSON.parse(readFileSync(path.join(OPENAPI_FOLDER, name), 'utf8')) as OpenApi;
    for (const [written, byMethod] of Object.entries(document.paths)) {
      for (const [inLowerCase, { responses = {} }] of Object.entries(byMethod)) {
        // Two paths of the specification stand there twice, the second time with a space at their end.
        if (!METHODS.has(inLowerCase) || written !== written.trim()) continue;
        const method = inLowerCase.toUpperCase();
        const operation = `${method} ${written}`;
        const statuses = new Map(
          Object.entries(responses).map(([status, response]) => [
            status,
            documentedStatus(operation, response),
          ]),
        );
        operations.set(operation, { name: operation, statuses, method, path: asRoute(written) });
      }
    }
  }
  return [...operations.values()];
}

const CLIENT = '/_matrix/client/';

/**
 * Where the specification may have what a path asks for: the path itself, what an older one has become, and what the proposal of an
 * unstable one has become.
 */
function stablePaths(requestPath: string): readonly string[] {
  const [, older] = /^\/_matrix\/client\/r0\/(.*)$/.exec(requestPath) ?? [];
  if (older !== undefined) return [`${CLIENT}v3/${older}`];
  const [, media] = /^\/_matrix\/media\/(?:r0|v1)\/(.*)$/.exec(requestPath) ?? [];
  if (media !== undefined) return [requestPath, `/_matrix/media/v3/${media}`];
  const [, room] = /^\/_matrix\/client\/unstable\/im\.nheko\.summary\/(.*)$/.exec(requestPath) ?? [];
  if (room !== undefined)
    return [`${CLIENT}v1/room_summary/${room.replace(/^(rooms|summary)\//, '').replace(/\/summary$/, '')}`];
  const [, unstable] = /^\/_matrix\/client\/unstable\/(?:[^/]*\.[^/]*\/)?(.*)$/.exec(requestPath) ?? [];
  if (unstable !== undefined) return [`${CLIENT}v3/${unstable}`, `${CLIENT}v1/${unstable}`];
  // Two paths end with a slash, which older clients leave out.
  return [requestPath, `${requestPath}/`];
}

function findOperation(
  index: RouteIndex<DocumentedOperation>,
  method: string,
  requestPath: string,
): DocumentedOperation | null {
  for (const stable of stablePaths(requestPath)) {
    const found = index.find(method, stable);
    if (found.kind === 'found') return found.value;
  }
  return null;
}

function isJsonType(contentType: string | null): boolean {
  return contentType === JSON_TYPE;
}

function errorProblems({ contentType, body, status }: SeenAnswer, documented?: DocumentedStatus): Problems {
  if (!isJsonType(contentType)) return [`an error is JSON, not ${contentType ?? 'nothing'}`];
  const own = documented?.check(body) ?? [];
  // A 401 that asks for user-interactive authentication has flows, and an errcode only once a stage has failed.
  const asksForStages = status === 401 && isJsonObject(body) && 'flows' in body;
  if (asksForStages && !('errcode' in body)) return own;
  // What a 401 says that asks for nothing is documented beside it in words only.
  return [...checkError(body), ...(status === 401 && !asksForStages ? [] : own)];
}

function contentProblems({ contentType, body }: SeenAnswer, documented: DocumentedStatus): Problems {
  const { contentTypes, check } = documented;
  if (contentTypes.includes(JSON_TYPE))
    return isJsonType(contentType) ? check(body) : [`it is JSON, not ${contentType ?? 'nothing'}`];
  const isAnything = contentTypes.length === 0 || contentTypes.includes('application/octet-stream');
  const [mediaType = ''] = (contentType ?? '').split(';');
  return isAnything || contentTypes.includes(mediaType)
    ? []
    : [`it is not to be ${contentType ?? 'nothing'}`];
}

function isOfSpecification(requestPath: string): boolean {
  const isOfAnApi = /^\/(_matrix\/(client|media|federation|key)|\.well-known\/matrix)\//.test(requestPath);
  return isOfAnApi && !requestPath.startsWith(`${CLIENT}unstable/`);
}

function problemsOf(
  index: RouteIndex<DocumentedOperation>,
  method: string,
  requestPath: string,
  answer: SeenAnswer,
): Problems {
  // Neither has a body that could be looked at.
  if (method === 'HEAD' || method === 'OPTIONS') return [];
  const operation = findOperation(index, method, requestPath);
  const name = operation?.name ?? `${method} ${requestPath}`;
  if (findExemption(name, answer) !== undefined) return [];
  const documented = operation?.statuses.get(String(answer.status));
  if (answer.status >= 400) return errorProblems(answer, documented);
  if (documented !== undefined) return contentProblems(answer, documented);
  if (operation !== null) return [`the specification has no status ${answer.status} for ${operation.name}`];
  return isOfSpecification(requestPath) ? ['the specification has no such operation'] : [];
}

/** Reads the specification's documents; where they are not there, says so and checks nothing. */
function loadSpecAnswers(): SpecAnswers {
  if (!existsSync(OPENAPI_FOLDER)) {
    process.stderr.write('note: ../shared/spec/openapi is not there, answers are not checked against it\n');
    return { operations: 0, problems: () => [] };
  }
  for (const [format, start] of Object.entries(FIRST_CHARACTERS))
    Format.Set(format, (text) => text.startsWith(start));
  const operations = loadOperations();
  const index = createRouteIndex<DocumentedOperation>(
    operations.map((operation) => ({ ...operation, owner: operation.name, value: operation })),
  );
  return {
    operations: operations.length,
    problems: (method, requestPath, answer) => problemsOf(index, method, requestPath, answer),
  };
}

let loaded: SpecAnswers | null = null;

/** What the specification says of answers; read once per process, when the first answer has come. */
export function getSpecAnswers(): SpecAnswers {
  return (loaded ??= loadSpecAnswers());
}
