import type { TSchema } from 'typebox';
import { isJsonObject, type JsonObject } from '../../kit/json.ts';
import type { HttpMethod } from '../kit/endpoint.ts';

/** What the document says of one endpoint. */
export interface DescribedEndpoint {
  readonly method: HttpMethod;
  readonly path: string;
  readonly spec: string;
  readonly params?: TSchema | undefined;
  readonly query?: TSchema | undefined;
  readonly body?: TSchema | undefined;
  readonly reply: TSchema;
}

const ERROR_SCHEMA = {
  type: 'object',
  required: ['errcode', 'error'],
  properties: { errcode: { type: 'string' }, error: { type: 'string' } },
};

function pathParameters(path: string): JsonObject[] {
  return [...path.matchAll(/\{([A-Za-z]+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

/** A TypeBox schema is a JSON schema; what is not JSON in it is left out here. */
function plain(schema: TSchema): JsonObject {
  return JSON.parse(JSON.stringify(schema)) as JsonObject;
}

function queryParameters(query: TSchema | undefined): JsonObject[] {
  const { properties, required } = query === undefined ? {} : plain(query);
  if (!isJsonObject(properties)) return [];
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: Array.isArray(required) && required.includes(name),
    schema,
  }));
}

function requestBody(body: TSchema | undefined): JsonObject {
  return body === undefined
    ? {}
    : { requestBody: { content: { 'application/json': { schema: plain(body) } } } };
}

function operation({ path, spec, query, body, reply }: DescribedEndpoint): JsonObject {
  return {
    summary: spec.replace(/^[^:]*: /, ''),
    parameters: [...pathParameters(path), ...queryParameters(query)],
    ...requestBody(body),
    responses: {
      200: {
        description: 'As asked.',
        content: { 'application/json': { schema: plain(reply) } },
      },
      default: { description: 'A refusal.', content: { 'application/json': { schema: ERROR_SCHEMA } } },
    },
  };
}

/** The OpenAPI 3.1 document of some endpoints, made of the same schemas that describe them to the program. */
export function openApiDocument(endpoints: readonly DescribedEndpoint[]): JsonObject {
  const paths: Record<string, Record<string, JsonObject>> = {};
  for (const endpoint of endpoints) {
    const path = (paths[endpoint.path] ??= {});
    path[endpoint.method.toLowerCase()] = operation(endpoint);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Troupe inspector',
      version: '1',
      description:
        'What runs, where, and how it is doing. On its own listener without authentication; on the main port for server ' +
        'administrators, with their access token.',
    },
    paths,
  };
}
