import { type Refusal, isRefusal, refuse } from '../../matrix/refusal.ts';
import type { RawParams } from './route-index.ts';

/** The text without its percent-escapes, or null when an escape is broken or does not spell UTF-8. Decodes exactly once. */
export function findDecoded(text: string): string | null {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return null;
  }
}

/**
 * Decodes path parameters: `%2F` is a slash inside of a parameter, `+` is a plus, `%2525` is `%25`.
 *
 * @returns the parameters, or a refusal 400 `M_INVALID_PARAM` that names the broken one
 */
export function decodeParams(raw: RawParams): Readonly<Record<string, string>> | Refusal {
  const decoded: Record<string, string> = {};
  for (const [name, text] of Object.entries(raw)) {
    const value = findDecoded(text);
    if (value === null)
      return refuse('M_INVALID_PARAM', `Path parameter "${name}" has a broken percent-escape.`);
    decoded[name] = value;
  }
  return decoded;
}

/** All values of each name of a query string. */
export type QueryValues = ReadonlyMap<string, readonly string[]>;

const NO_VALUES: QueryValues = new Map();

/** How many parameters a query string may have. */
export const QUERY_PARAMETERS_MAX = 1_000;

function decodeFormText(text: string): string | Refusal {
  return (
    findDecoded(text.replaceAll('+', ' ')) ??
    refuse('M_INVALID_PARAM', 'The query string has a broken percent-escape.')
  );
}

/**
 * Reads a query string (form encoding: `+` is a space). Names may repeat.
 *
 * @param text what stands after the question mark
 * @returns the values by name, or a refusal 400 `M_INVALID_PARAM` for a broken escape or more than {@link QUERY_PARAMETERS_MAX}
 */
export function parseQueryString(text: string): QueryValues | Refusal {
  if (text === '') return NO_VALUES;
  const values = new Map<string, string[]>();
  const parts = text.split('&', QUERY_PARAMETERS_MAX + 1);
  if (parts.length > QUERY_PARAMETERS_MAX)
    return refuse('M_INVALID_PARAM', `The query string has more than ${QUERY_PARAMETERS_MAX} parameters.`);
  for (const part of parts) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    const name = decodeFormText(equals === -1 ? part : part.slice(0, equals));
    const value = decodeFormText(equals === -1 ? '' : part.slice(equals + 1));
    if (isRefusal(name)) return name;
    if (isRefusal(value)) return value;
    const known = values.get(name);
    if (known === undefined) values.set(name, [value]);
    else known.push(value);
  }
  return values;
}
