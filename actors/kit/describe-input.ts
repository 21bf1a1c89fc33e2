import { inspect } from 'node:util';

/** What is logged of the input that crashed an actor. */
const LOGGED_INPUT_CHARACTERS_MAX = 1000;
/** Deeper than that nothing is shown, and so nothing has to be hidden. */
const LOGGED_INPUT_DEPTH_MAX = 3;

/** Fields that no log may hold, in whatever message they stand. */
const SECRET_FIELDS: ReadonlySet<string> = new Set([
  'accessToken',
  'nonce',
  'parametersHash',
  'password',
  'passwordHash',
  'registrationToken',
  'seed',
  'session',
  'token',
]);

const HIDDEN = '(hidden)';

function withoutSecrets(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || depth > LOGGED_INPUT_DEPTH_MAX) return value;
  if (Array.isArray(value)) return value.map((item: unknown) => withoutSecrets(item, depth + 1));
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name,
      SECRET_FIELDS.has(name) ? HIDDEN : withoutSecrets(field, depth + 1),
    ]),
  );
}

/** A message's input in one line of at most {@link LOGGED_INPUT_CHARACTERS_MAX} characters, for the log: without passwords, tokens and keys. */
export function describeInput(input: unknown): string {
  const shown = withoutSecrets(input, 0);
  const text = inspect(shown, {
    depth: LOGGED_INPUT_DEPTH_MAX,
    maxArrayLength: 20,
    maxStringLength: 200,
    breakLength: Infinity,
  });
  return text.slice(0, LOGGED_INPUT_CHARACTERS_MAX);
}
