import { createRequire } from 'node:module';
import type { TSchema } from 'typebox';
import type { Compile, Validator } from 'typebox/compile';
import { type Refusal, refuse } from '../../matrix/refusal.ts';
import type { QueryValues } from './percent-decoding.ts';

const require = createRequire(import.meta.url);

/** Loaded with the first check, not with the program: the compiler is 300 modules, and a gateway is to listen before it has read them. */
function loadCompiler(): typeof Compile {
  return (require('typebox/compile') as { readonly Compile: typeof Compile }).Compile;
}

/** Loads the schema compiler now, so that the first request does not wait for it. */
export function warmUpSchemaChecks(): void {
  loadCompiler();
}

/** Where the checked value came from: it decides the error code and the wording. */
export type CheckedPart = 'params' | 'query' | 'body';

/** Checks values against one schema, compiled on first use: compiling takes half a millisecond, and most endpoints are never called. */
export interface SchemaCheck {
  accepts(value: unknown): boolean;
  /** Null when the value is right, otherwise what is wrong with it, naming the field. */
  find(value: unknown): Refusal | null;
}

const PART_NAMES: Readonly<Record<CheckedPart, string>> = {
  params: 'path parameter',
  query: 'query parameter',
  body: 'field',
};

/** A JSON pointer as people write it: `/content/m.relates_to/0` is `content.m.relates_to.0`. */
function fieldOf(pointer: string): string {
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .join('.');
}

interface SchemaError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: object;
}

function missingField(error: SchemaError): string | null {
  if (error.keyword !== 'required') return null;
  const names = (error.params as { readonly requiredProperties?: readonly string[] }).requiredProperties;
  const name = names?.[0];
  if (name === undefined) return null;
  return error.instancePath === '' ? name : `${fieldOf(error.instancePath)}.${name}`;
}

function refusalOf(errors: readonly SchemaError[], part: CheckedPart): Refusal {
  const wrong = part === 'body' ? 'M_BAD_JSON' : 'M_INVALID_PARAM';
  const first = errors[0];
  if (first === undefined) throw new Error('a schema refused a value and gave no error');
  const missing = missingField(first);
  if (missing !== null) return refuse('M_MISSING_PARAM', `The ${PART_NAMES[part]} "${missing}" is missing.`);
  // An alternative that does not fit is reported branch by branch; only the last line speaks of the whole.
  const whole = errors.find((error) => error.keyword === 'anyOf' || error.keyword === 'oneOf');
  const told = whole !== undefined && first.instancePath.startsWith(whole.instancePath) ? whole : first;
  if (told.instancePath === '') return refuse(wrong, `The ${part} ${told.message}.`);
  return refuse(wrong, `The ${PART_NAMES[part]} "${fieldOf(told.instancePath)}" ${told.message}.`);
}

/**
 * Makes the check of one schema.
 *
 * Refusals: a required field that is not there is `M_MISSING_PARAM`; a wrong value is `M_BAD_JSON` in a body and `M_INVALID_PARAM`
 * elsewhere. Client-Server API v1.19, "Other error codes".
 */
export function createSchemaCheck(schema: TSchema, part: CheckedPart): SchemaCheck {
  let compiled: Validator | null = null;
  const validator = (): Validator => (compiled ??= loadCompiler()(schema));
  return {
    accepts: (value) => validator().Check(value),
    find(value) {
      if (validator().Check(value)) return null;
      return refusalOf(validator().Errors(value), part);
    },
  };
}

/** What a query parameter is converted to before the check. */
type Conversion = 'text' | 'number' | 'boolean' | 'list of text' | 'list of numbers';

interface SchemaShape {
  readonly type?: unknown;
  readonly properties?: Readonly<Record<string, SchemaShape>>;
  readonly items?: SchemaShape;
}

function conversionOf(schema: SchemaShape): Conversion {
  if (schema.type === 'integer' || schema.type === 'number') return 'number';
  if (schema.type === 'boolean') return 'boolean';
  if (schema.type !== 'array') return 'text';
  return schema.items !== undefined && conversionOf(schema.items) === 'number'
    ? 'list of numbers'
    : 'list of text';
}

const NUMBER = /^-?\d{1,16}$/;

/** A text that does not fit stays a text: then the check says what was expected. */
function toNumber(text: string): number | string {
  return NUMBER.test(text) ? Number(text) : text;
}

function toBoolean(text: string): boolean | string {
  if (text === 'true') return true;
  return text === 'false' ? false : text;
}

/** The fields of a query schema and what each one's text is turned into. */
export type QueryConversions = readonly (readonly [name: string, conversion: Conversion])[];

/** Reads from a schema how the texts of a query string are to be converted. */
export function queryConversions(schema: TSchema): QueryConversions {
  const properties = (schema as SchemaShape).properties ?? {};
  return Object.entries(properties).map(([name, property]) => [name, conversionOf(property)]);
}

/**
 * Converts the texts of a query string: whole numbers, `true` and `false`, repeated names as lists. Names that the schema does not
 * know are left out.
 *
 * @returns the fields, still to be checked, or a refusal 400 `M_INVALID_PARAM` for a single value that was given twice
 */
export function convertQuery(
  conversions: QueryConversions,
  values: QueryValues,
): Readonly<Record<string, unknown>> | Refusal {
  const fields: Record<string, unknown> = {};
  for (const [name, conversion] of conversions) {
    const texts = values.get(name);
    const first = texts?.[0];
    if (texts === undefined || first === undefined) continue;
    if (conversion === 'list of text') fields[name] = texts;
    else if (conversion === 'list of numbers') fields[name] = texts.map(toNumber);
    else if (texts.length > 1)
      return refuse('M_INVALID_PARAM', `The query parameter "${name}" was given more than once.`);
    else if (conversion === 'number') fields[name] = toNumber(first);
    else fields[name] = conversion === 'boolean' ? toBoolean(first) : first;
  }
  return fields;
}
