/** Tests a text against a pattern. */
export type StarPattern = (text: string) => boolean;

/**
 * Compiles a pattern in which `*` stands for any characters, also none, and everything else for itself. The literals are searched from
 * left to right, each at its first place, so that no pattern makes a match slow.
 * Client-Server API v1.19, "Filtering", `types` and `not_types`.
 */
export function compileStarPattern(pattern: string): StarPattern {
  const [first = '', ...others] = pattern.split('*');
  const last = others.pop();
  if (last === undefined) return (text) => text === pattern;
  const lengthMin = first.length + last.length;
  return (text) => {
    if (text.length < lengthMin || !text.startsWith(first) || !text.endsWith(last)) return false;
    const end = text.length - last.length;
    let position = first.length;
    for (const literal of others) {
      const found = text.indexOf(literal, position);
      if (found === -1 || found + literal.length > end) return false;
      position = found + literal.length;
    }
    return true;
  };
}
