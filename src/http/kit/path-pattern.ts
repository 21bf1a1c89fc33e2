/** One part of a path between slashes: fixed text, or a parameter. */
type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'parameter'; readonly name: string; readonly mayBeEmpty: boolean };

/** A path as it is matched: a fixed number of segments, each fixed text or a parameter. */
export interface PathPattern {
  readonly segments: readonly Segment[];
  /** Names of the parameters in their order. */
  readonly names: readonly string[];
  /** Optional parameters that this form of the path leaves out: they are the empty text. */
  readonly absent: readonly string[];
  /** Matches the raw path, percent-escapes and all. */
  readonly regexp: RegExp;
}

const PARAMETER = /^\{([a-zA-Z][a-zA-Z0-9_]*)(\?)?\}$/;

function segmentOf(text: string, path: string): Segment {
  const match = PARAMETER.exec(text);
  if (match?.[1] !== undefined)
    return { kind: 'parameter', name: match[1], mayBeEmpty: match[2] !== undefined };
  if (/[{}%?#]/.test(text))
    throw new Error(`path ${path}: segment "${text}" is neither text nor {parameter}`);
  return { kind: 'literal', text };
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+^$()|[\]\\]/g, '\\$&');
}

function regexpOf(segments: readonly Segment[]): RegExp {
  const parts = segments.map((segment) => {
    if (segment.kind === 'literal') return `/${escaped(segment.text)}`;
    return segment.mayBeEmpty ? '/[^/]*' : '/[^/]+';
  });
  return new RegExp(`^${parts.join('')}$`);
}

function patternOf(segments: readonly Segment[], absent: readonly string[]): PathPattern {
  const names = segments.flatMap((segment) => (segment.kind === 'parameter' ? [segment.name] : []));
  return { segments, names, absent, regexp: regexpOf(segments) };
}

/**
 * Reads a path such as `/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey?}`.
 *
 * A parameter fills one whole segment and is never empty. The last one may be optional (`{stateKey?}`): then it may be empty, and
 * the path may end before it, with or without the slash.
 *
 * @returns the forms of the path: two when its last parameter is optional
 * @throws Error for a path that cannot be read: a defect of the endpoint's file
 */
export function parsePathPattern(path: string): readonly PathPattern[] {
  if (!path.startsWith('/')) throw new Error(`path ${path} does not begin with a slash`);
  const segments = path
    .slice(1)
    .split('/')
    .map((text) => segmentOf(text, path));
  const whole = patternOf(segments, []);
  if (new Set(whole.names).size !== whole.names.length)
    throw new Error(`path ${path} names a parameter twice`);
  const optional = segments.findIndex((segment) => segment.kind === 'parameter' && segment.mayBeEmpty);
  if (optional === -1) return [whole];
  if (optional !== segments.length - 1)
    throw new Error(`path ${path}: only the last parameter may be optional`);
  const last = whole.names.at(-1) ?? '';
  return [whole, patternOf(segments.slice(0, -1), [last])];
}
