import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Format } from 'typebox/format';
import { Compile } from 'typebox/schema';
import { createRouteIndex } from '../../src/http/kit/route-index.ts';
import { isJsonObject, type Json } from '../../src/kit/json.ts';

/** The specification's OpenAPI documents: beside the repository, for whoever has them. */
const OPENAPI_FOLDER = path.resolve(import.meta.dirname, '../../../shared/spec/openapi');

const DOCUMENTS = ['client-server.json', 'server-server.json'];

/** How many errors of one answer are told. */
const TOLD_ERRORS_MAX = 5;

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Operation {
  readonly responses?: Readonly<
    Record<
      string,
      { readonly content?: Readonly<Record<string, { readonly schema?: Record<string, unknown> }>> }
    >
  >;
}

type AnswerCheck = (value: unknown) => readonly string[];

/** Checks answers against what the specification says of them. */
export interface SpecAnswers {
  /** How many operations are known; 0 when the documents are not there and nothing is checked. */
  readonly operations: number;
  /** What is wrong with a JSON answer; empty when nothing is, or the specification does not know it. */
  problems(method: string, requestPath: string, status: number, body: Json): readonly string[];
}

/** Loose on purpose: the grammar of identifiers has tests of its own. */
const FIRST_CHARACTERS: Readonly<Record<string, string>> = {
  'mx-user-id': '@',
  'mx-room-id': '!',
  'mx-room-alias': '#',
  'mx-event-id': '$',
  'mx-mxc-uri': 'mxc://',
};

function compileCheck(schema: Record<string, unknown>): AnswerCheck {
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

function checksOf(operation: Operation): ReadonlyMap<string, AnswerCheck> {
  const checks = new Map<string, AnswerCheck>();
  for (const [status, response] of Object.entries(operation.responses ?? {})) {
    const schema = response.content?.['application/json']?.schema;
    if (schema !== undefined) checks.set(status, compileCheck(schema));
  }
  return checks;
}

const checkError = compileCheck({
  type: 'object',
  required: ['errcode', 'error'],
  properties: { errcode: { type: 'string', pattern: '^[A-Z0-9_.]+$' }, error: { type: 'string' } },
});

const METHODS = new Set(['get', 'put', 'post', 'delete']);

function loadOperations(): ReadonlyMap<string, { method: string; path: string; value: Operation }> {
  const operations = new Map<string, { method: string; path: string; value: Operation }>();
  for (const name of DOCUMENTS) {
    const document = JSON.parse(readFileSync(path.join(OPENAPI_FOLDER, name), 'utf8')) as OpenApi;
    for (const [written, byMethod] of Object.entries(document.paths)) {
      for (const [method, value] of Object.entries(byMethod)) {
        // One path of the specification stands there twice, the second time with a space at its end.
        if (!METHODS.has(method) || written !== written.trim()) continue;
        operations.set(`${method} ${written}`, { method: method.toUpperCase(), path: written, value });
      }
    }
  }
  return operations;
}

/**
 * Reads the specification's documents, when they are there. Every answer of 400 and above must be `{errcode, error}`, but for a 401 that asks
 * for user-interactive authentication.
 */
export function loadSpecAnswers(): SpecAnswers {
  if (!existsSync(OPENAPI_FOLDER)) return { operations: 0, problems: () => [] };
  for (const [format, start] of Object.entries(FIRST_CHARACTERS))
    Format.Set(format, (text) => text.startsWith(start));
  const operations = [...loadOperations().values()];
  const index = createRouteIndex(
    operations.map((operation) => ({
      method: operation.method,
      path: operation.path,
      owner: operation.path,
      value: checksOf(operation.value),
    })),
  );
  return {
    operations: operations.length,
    problems(method, requestPath, status, body) {
      const found = index.find(method, requestPath);
      const check = found.kind === 'found' ? found.value.get(String(status)) : undefined;
      // A 401 that asks for user-interactive authentication has flows, and an errcode only once a stage has failed.
      const asksForStages = status === 401 && isJsonObject(body) && 'flows' in body;
      if (asksForStages && !('errcode' in body)) return check?.(body) ?? [];
      if (status >= 400) return [...checkError(body), ...(asksForStages ? (check?.(body) ?? []) : [])];
      return check?.(body) ?? [];
    },
  };
}
