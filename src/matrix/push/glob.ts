/** Tests a text. */
export type TextTest = (text: string) => boolean;

/** A part of a pattern without `*`: finds where it ends when it begins at `from`; -1 when it does not. */
type Segment = (text: string, from: number) => number;

const WORD = /[A-Za-z0-9_]/;

/** Client-Server API v1.19, "Push Rules": a word ends where a character is none of `[A-Za-z0-9_]`. */
function isWordStart(text: string, at: number): boolean {
  return at === 0 || !WORD.test(text[at - 1] as string);
}

function isWordEnd(text: string, at: number): boolean {
  return at === text.length || !WORD.test(text[at] as string);
}

/** The length of the character at a place: two code units outside of the basic plane. */
function characterLength(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}

function compileSegment(segment: string): Segment {
  if (!segment.includes('?'))
    return (text, from) => (text.startsWith(segment, from) ? from + segment.length : -1);
  const literals = segment.split('?');
  return (text, from) => {
    let at = from;
    for (const [index, literal] of literals.entries()) {
      if (index > 0) {
        if (at >= text.length) return -1;
        at += characterLength(text, at);
      }
      if (!text.startsWith(literal, at)) return -1;
      at += literal.length;
    }
    return at;
  };
}

type Place = (text: string, at: number) => boolean;

/** Where the first part ends that begins at or after `from`, at a place where it may begin, and ends where it may; -1 where there is none. */
function find(text: string, segment: Segment, from: number, mayBegin: Place, mayEnd: Place): number {
  for (let at = from; at <= text.length; at += 1) {
    if (!mayBegin(text, at)) continue;
    const end = segment(text, at);
    if (end !== -1 && mayEnd(text, end)) return end;
  }
  return -1;
}

const ANYWHERE: Place = () => true;

/**
 * Compiles a glob: `*` stands for any characters, also none, `?` for exactly one. The case of letters does not count. Parts are searched from
 * left to right, each at its first place, so that no pattern makes a match slow.
 * Appendices v1.19, "Glob-style matching".
 *
 * @param scope `whole`: the pattern covers the text; `words`: it covers some words of it, as in a message's body
 */
export function compileGlob(pattern: string, scope: 'whole' | 'words'): TextTest {
  const [first = '', ...others] = pattern.toLowerCase().split('*');
  const last = others.pop();
  const mayBegin: Place = scope === 'words' ? isWordStart : (_text, at) => at === 0;
  const mayEnd: Place = scope === 'words' ? isWordEnd : (text, at) => at === text.length;
  const head = compileSegment(first);
  if (last === undefined) return (text) => find(text.toLowerCase(), head, 0, mayBegin, mayEnd) !== -1;
  const middle = others.filter((part) => part !== '').map(compileSegment);
  const tail = compileSegment(last);
  return (given) => {
    const text = given.toLowerCase();
    let at = find(text, head, 0, mayBegin, ANYWHERE);
    for (const segment of middle) if (at !== -1) at = find(text, segment, at, ANYWHERE, ANYWHERE);
    return at !== -1 && find(text, tail, at, ANYWHERE, mayEnd) !== -1;
  };
}

/** Compiles a search for a text that stands in another as whole words, such as a display name. An empty one stands nowhere. */
export function compileWords(words: string): TextTest {
  if (words === '') return () => false;
  const segment: Segment = (text, from) => (text.startsWith(wanted, from) ? from + wanted.length : -1);
  const wanted = words.toLowerCase();
  return (text) => find(text.toLowerCase(), segment, 0, isWordStart, isWordEnd) !== -1;
}
