import type { TSchema } from 'typebox';
import type { JsonObject } from '../../kit/json.ts';
import type { HttpMethod } from '../kit/endpoint.ts';

/** What the document says of one endpoint. */
export interface DescribedEndpoint {
  readonly method: HttpMethod;
  readonly path: string;
  readonly spec: string;
  readonly params?: TSchema | undefined;
  readonly reply: TSchema;
}

const ERROR_SCHEMA = {
  type: 'object',
  required: ['errcode', 'error'],
  properties: { errcode: { type: 'string' }, error: { type: 'string' } },
};

function parameters(path: string): JsonObject[] {
  return [...path.matchAll(/\{([A-Za-z]+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function operation({ path, spec, reply }: DescribedEndpoint): JsonObject {
  return {
    summary: spec.replace(/^[^:]*: /, ''),
    parameters: parameters(path),
    responses: {
      200: {
        description: 'As asked.',
        // A TypeBox schema is a JSON schema; what is not JSON in it is left out here.
        content: { 'application/json': { schema: JSON.parse(JSON.stringify(reply)) as JsonObject } },
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
