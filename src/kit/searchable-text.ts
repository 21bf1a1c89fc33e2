/**
 * A text as searches compare it: without case, without diacritics, compatible forms of a character as one (`Ａ` is `a`, `ß` is `ss`).
 * Unicode Standard Annex #15, NFKD.
 */
export function toSearchable(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toUpperCase()
    .toLowerCase();
}

/** The words of a text, as searches compare them, each once: what stands between anything but letters and digits. */
export function searchableWords(text: string): readonly string[] {
  return [...new Set(toSearchable(text).split(/[^\p{L}\p{N}]+/u))].filter((word) => word !== '');
}
