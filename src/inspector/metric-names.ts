/** A figure's name taken apart: `cache.members.hits` under `cache` is `members` and `hits`. */
export interface NamedFigure {
  readonly subject: string;
  readonly figure: string;
  readonly value: number | string;
}

/**
 * Picks the figures `<prefix>.<subject>.<figure>` out of a snapshot.
 *
 * @param subjects the subjects to look for, since both a subject and a figure may hold dots; when absent the subject ends at the first dot
 */
export function figuresUnder(
  values: ReadonlyMap<string, number | string>,
  prefix: string,
  subjects?: readonly string[],
): NamedFigure[] {
  const found: NamedFigure[] = [];
  for (const [name, value] of values) {
    if (!name.startsWith(`${prefix}.`)) continue;
    const rest = name.slice(prefix.length + 1);
    const subject =
      subjects === undefined ? rest.split('.')[0] : subjects.find((one) => rest.startsWith(`${one}.`));
    if (subject === undefined) continue;
    found.push({ subject, figure: rest.slice(subject.length + 1), value });
  }
  return found;
}
