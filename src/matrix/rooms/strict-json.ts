import { isJsonObject, type Json } from '../../kit/json.ts';

/**
 * The nearest value that every room version can write: numbers become integers within ±(2^53 − 1) and texts well-formed Unicode. What is
 * canonical JSON already comes back equal. For content of room versions 1 to 5 that goes on in a later one.
 */
export function toStrictJson(value: Json): Json {
  if (typeof value === 'number') return toStrictInteger(value);
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return (value as readonly Json[]).map(toStrictJson);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [key.toWellFormed(), toStrictJson(entry)]),
  );
}

/** The nearest integer within ±(2^53 − 1) that is not further from zero. */
export function toStrictInteger(value: number): number {
  const bounded = Math.min(Math.max(value, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
  // Adding zero makes an ordinary zero of the negative one.
  return Math.trunc(bounded) + 0;
}
