const TABLE = /^\s*\[\s*([A-Za-z0-9_."-]+)\s*\]\s*(#.*)?$/;
const KEY = /^\s*"?([A-Za-z0-9_-]+)"?(?:\s*\.\s*([A-Za-z0-9_-]+))?\s*=/;

/**
 * The line on which a key of a TOML text stands.
 *
 * @param text the whole file
 * @param path section and key; a deeper path gives the line of its key
 * @returns a line number from 1, or of the section, or 1 when neither is found
 */
export function lineOf(text: string, path: readonly string[]): number {
  const [sectionName, keyName] = path;
  let table = '';
  let sectionLine = 1;
  for (const [index, line] of text.split('\n').entries()) {
    const header = TABLE.exec(line);
    if (header?.[1] !== undefined) {
      table = header[1];
      if (table === sectionName || table === `${sectionName}.${keyName}`) sectionLine = index + 1;
      if (table === `${sectionName}.${keyName}`) return sectionLine;
      continue;
    }
    const key = KEY.exec(line);
    if (key === null) continue;
    if (table === sectionName && key[1] === keyName) return index + 1;
    if (table === '' && key[1] === sectionName && (key[2] === undefined || key[2] === keyName))
      return index + 1;
  }
  return sectionLine;
}
