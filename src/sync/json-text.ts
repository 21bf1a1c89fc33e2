/**
 * Answers are put together from texts that are JSON already: an event is serialised once, not once per member of its room.
 */

/** The text of an object of texts; entries that are null are left out. */
export function objectText(entries: readonly (readonly [key: string, text: string | null])[]): string {
  const parts: string[] = [];
  for (const [key, text] of entries) if (text !== null) parts.push(`${JSON.stringify(key)}:${text}`);
  return `{${parts.join(',')}}`;
}

/** The text of a list of texts. */
export function listText(texts: readonly string[]): string {
  return `[${texts.join(',')}]`;
}

/** `{"events":[…]}`, as most sections of a sync are. */
export function eventsText(texts: readonly string[]): string {
  return `{"events":${listText(texts)}}`;
}

/** The same, or null when there is nothing in it. */
export function eventsTextUnlessEmpty(texts: readonly string[]): string | null {
  return texts.length === 0 ? null : eventsText(texts);
}
