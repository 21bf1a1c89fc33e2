import { expect } from 'chai';
import { Type } from 'typebox';
import { parseQueryString, type QueryValues } from '../../../../src/http/kit/percent-decoding.ts';
import { convertQuery, createSchemaCheck, queryConversions } from '../../../../src/http/kit/schema-check.ts';

const BODY = Type.Object({
  name: Type.String({ maxLength: 5 }),
  level: Type.Optional(Type.Integer()),
  content: Type.Optional(
    Type.Object({
      'm.relates_to': Type.Array(Type.Object({ event_id: Type.String() })),
      'a/b': Type.Optional(Type.Null()),
    }),
  ),
  kind: Type.Optional(Type.Union([Type.Literal('x'), Type.Literal('y')])),
});

describe('schema check', () => {
  const check = createSchemaCheck(BODY, 'body');

  it('takes what fits, unknown fields included', () => {
    expect(check.find({ name: 'a', more: [1] })).to.equal(null);
  });

  it('names a missing field with M_MISSING_PARAM, wherever it is missing', () => {
    expect(check.find({})).to.deep.include({
      errcode: 'M_MISSING_PARAM',
      error: 'The field "name" is missing.',
    });
    expect(check.find({ name: 'a', content: { 'm.relates_to': [{}] } })).to.deep.include({
      errcode: 'M_MISSING_PARAM',
      error: 'The field "content.m.relates_to.0.event_id" is missing.',
    });
  });

  it('names a wrong field with M_BAD_JSON and says what was expected', () => {
    for (const [value, error] of [
      [{ name: 1 }, 'The field "name" must be string.'],
      [{ name: 'a', level: 1.5 }, 'The field "level" must be integer.'],
      [{ name: 'a', level: null }, 'The field "level" must be integer.'],
      [{ name: 'a', kind: 'z' }, 'The field "kind" must match a schema in anyOf.'],
      [{ name: 'a', content: { 'm.relates_to': [], 'a/b': 1 } }, 'The field "content.a/b" must be null.'],
      [[], 'The body must be object.'],
      [null, 'The body must be object.'],
    ] as const)
      expect(check.find(value), JSON.stringify(value)).to.deep.include({
        errcode: 'M_BAD_JSON',
        status: 400,
        error,
      });
  });

  it('refuses parameters with M_INVALID_PARAM', () => {
    const params = createSchemaCheck(Type.Object({ roomId: Type.String({ pattern: '^!' }) }), 'params');
    expect(params.find({ roomId: 'x' })).to.include({ errcode: 'M_INVALID_PARAM', status: 400 });
  });
});

describe('query conversion', () => {
  const schema = Type.Object({
    limit: Type.Optional(Type.Integer()),
    full: Type.Optional(Type.Boolean()),
    server_name: Type.Optional(Type.Array(Type.String())),
    numbers: Type.Optional(Type.Array(Type.Integer())),
    dir: Type.Optional(Type.Union([Type.Literal('b'), Type.Literal('f')])),
  });
  const conversions = queryConversions(schema);
  const convert = (text: string): unknown => convertQuery(conversions, parseQueryString(text) as QueryValues);

  it('turns texts into what the schema asks for and leaves out what it does not know', () => {
    expect(
      convert('limit=-5&full=true&server_name=a&server_name=b&numbers=1&dir=b&access_token=x'),
    ).to.deep.equal({ limit: -5, full: true, server_name: ['a', 'b'], numbers: [1], dir: 'b' });
    expect(convert('full=false&server_name=a')).to.deep.equal({ full: false, server_name: ['a'] });
  });

  it('leaves a text that does not fit to the check', () => {
    const check = createSchemaCheck(schema, 'query');
    for (const text of [
      'limit=',
      'limit=1e3',
      'limit=0x10',
      'limit=1.5',
      'limit=12345678901234567',
      'full=1',
      'full=',
      'dir=c',
      'numbers=x',
    ])
      expect(check.find(convert(text)), text).to.include({ errcode: 'M_INVALID_PARAM' });
  });

  it('refuses a single value that is given twice', () => {
    expect(convert('limit=1&limit=2')).to.deep.include({
      errcode: 'M_INVALID_PARAM',
      error: 'The query parameter "limit" was given more than once.',
    });
  });
});
