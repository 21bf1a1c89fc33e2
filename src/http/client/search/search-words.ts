/** Words of one search; further ones are not looked at. */
const WORDS_MAX = 32;
const WORD_LENGTH_MAX = 200;

/** What a search looks for. */
export interface SearchWords {
  /** Each has to be in the text; one with punctuation within stands for its parts, one after the other. */
  readonly words: readonly string[];
  /** What clients are to mark in the texts. */
  readonly highlights: readonly string[];
}

/** Takes a search term apart. What has neither letters nor digits is left out: nothing is found by it. */
export function searchWordsOf(term: string): SearchWords {
  const words = term
    .toWellFormed()
    .split(/[\s\0]+/u)
    .filter((word) => /[\p{L}\p{N}]/u.test(word))
    .map((word) => word.slice(0, WORD_LENGTH_MAX).toWellFormed());
  const distinct = [...new Set(words)].slice(0, WORDS_MAX);
  const highlights = distinct.flatMap((word) => word.toLowerCase().match(/[\p{L}\p{N}\p{M}]+/gu) ?? []);
  return { words: distinct, highlights: [...new Set(highlights)] };
}
