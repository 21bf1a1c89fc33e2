import { canonicalString, compareCodePoints } from './canonical-json.ts';

/** A list or object that is not closed yet. */
interface OpenValue {
  readonly isObject: boolean;
  /** What stands in it so far, in canonical form; of an object by key: one that comes again replaces what it had, as with `JSON.parse`. */
  readonly members: Map<string | number, string>;
  /** Of an object: the key whose value comes next. */
  key: string | null;
}

/** A text, a bracket or brace, a number or word; commas, colons and white space stand between them. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{}]|[^\s,:"[\]{}]+/g;

/** Put together with `+`, which copies nothing: whatever is nested deep would otherwise be copied once for each level. */
function closedText({ isObject, members }: OpenValue): string {
  const keys = [...members.keys()];
  if (isObject) (keys as string[]).sort(compareCodePoints);
  let text = isObject ? '{' : '[';
  for (const [index, key] of keys.entries()) {
    if (index > 0) text += ',';
    if (isObject) text += `${canonicalString(String(key))}:`;
    text += members.get(key) ?? '';
  }
  return text + (isObject ? '}' : ']');
}

/**
 * Writes JSON text as canonical JSON without reading it into values: numbers stay as they were written (`1.0`, `1e5`, more digits than a
 * double holds), and nothing is too deep. For what another server has signed: it wrote those numbers so when it signed, and what only one
 * event of a transaction does wrong shall not make all of it unreadable. Appendices v1.19, "Canonical JSON".
 *
 * @param text JSON that `JSON.parse` takes: of anything else comes nonsense
 */
export function canonicalText(text: string): string {
  const open: OpenValue[] = [];
  let whole = '';
  const put = (value: string): void => {
    const parent = open.at(-1);
    if (parent === undefined) whole = value;
    else if (!parent.isObject) parent.members.set(parent.members.size, value);
    else if (parent.key !== null) {
      parent.members.set(parent.key, value);
      parent.key = null;
    }
  };
  for (const [token] of text.matchAll(TOKEN)) {
    const parent = open.at(-1);
    if (token === '{' || token === '[') open.push({ isObject: token === '{', members: new Map(), key: null });
    else if (token === '}' || token === ']') {
      open.pop();
      if (parent !== undefined) put(closedText(parent));
    } else if (!token.startsWith('"')) put(token);
    else {
      const string = JSON.parse(token) as string;
      if (parent?.isObject === true && parent.key === null) parent.key = string;
      else put(canonicalString(string));
    }
  }
  return whole;
}
