import { expect } from 'chai';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { openApiDocument } from '../../../../src/http/inspector/openapi-document.ts';
import { endpoint as documentEndpoint } from '../../../../src/http/inspector/v1/get-openapi.ts';
import { loadEndpoints } from '../../../../src/http/kit/load-endpoints.ts';

const FOLDER = new URL('../../../../src/http/inspector/', import.meta.url).pathname;

interface Operation {
  readonly summary: string;
  readonly parameters: readonly object[];
  readonly responses: Readonly<
    Record<string, { readonly content: { 'application/json': { schema: object } } }>
  >;
}

describe('the OpenAPI document', () => {
  const spec = 'Troupe inspector v1: One thing.';
  const document = openApiDocument([
    { method: 'GET', path: '/things/{name}', spec, reply: Type.Object({ size: Type.Integer() }) },
    { method: 'POST', path: '/things/{name}', spec, reply: Type.Object({}) },
  ]) as unknown as {
    readonly openapi: string;
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  };

  it('has one path with its methods and parameters', () => {
    expect(document.openapi).to.equal('3.1.0');
    expect(Object.keys(document.paths)).to.deep.equal(['/things/{name}']);
    const path = document.paths['/things/{name}'];
    expect(Object.keys(path ?? {})).to.deep.equal(['get', 'post']);
    expect(path?.['get']?.summary).to.equal('One thing.');
    expect(path?.['get']?.parameters).to.deep.equal([
      { name: 'name', in: 'path', required: true, schema: { type: 'string' } },
    ]);
  });

  it('has the parameters of the query string, and says which must be there', () => {
    const query = Type.Object({ type: Type.String(), limit: Type.Optional(Type.Integer({ maximum: 9 })) });
    const described = openApiDocument([
      { method: 'GET', path: '/things', spec, query, reply: Type.Object({}) },
    ]) as unknown as typeof document;
    expect(described.paths['/things']?.['get']?.parameters).to.deep.equal([
      { name: 'type', in: 'query', required: true, schema: { type: 'string' } },
      { name: 'limit', in: 'query', required: false, schema: { type: 'integer', maximum: 9 } },
    ]);
  });

  it('holds schemas that work after their way over the wire', () => {
    const { responses } = JSON.parse(JSON.stringify(document.paths['/things/{name}']?.['get'])) as Operation;
    const check = Compile(responses['200']?.content['application/json'].schema ?? {});
    expect(check.Check({ size: 1 })).to.equal(true);
    expect(check.Check({ size: 'large' })).to.equal(false);
    expect(Compile(responses['default']?.content['application/json'].schema ?? {}).Check({})).to.equal(false);
  });

  it('describes every endpoint of the folder but itself', async () => {
    const answer = (await documentEndpoint.handle({} as never)) as unknown as {
      readonly body: { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> };
    };
    const described = Object.entries(answer.body.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const served = (await loadEndpoints(FOLDER))
      .map(({ endpoint }) => `${endpoint.method} ${endpoint.path}`)
      .filter((route) => route !== `GET ${documentEndpoint.path}`);
    expect(served.length).to.be.greaterThan(0);
    expect(described).to.have.members(served);
  });

  it('every endpoint of the folder is for administrators on the main port', async () => {
    for (const { endpoint } of await loadEndpoints(FOLDER))
      expect(endpoint.auth, endpoint.path).to.equal('admin');
  });
});
