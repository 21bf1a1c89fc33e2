import type { StoredEvent } from '../../db/rooms/event-reader.ts';
import type { SearchText } from '../../db/search/writer.ts';
import { isJsonObject, type JsonObject } from '../../src/kit/json.ts';
import { relationOf } from '../../src/matrix/events/relation.ts';

type Words = Pick<SearchText, 'body' | 'name' | 'topic'>;

const NO_WORDS: Words = { body: null, name: null, topic: null };

/** The types of events that are searched. Client-Server API v1.19, "Server Side Search". */
export const SEARCHED_TYPES: ReadonlySet<string> = new Set(['m.room.message', 'm.room.name', 'm.room.topic']);

function textOf(content: JsonObject, key: string): string | null {
  const value = content[key];
  return typeof value === 'string' && value !== '' ? value : null;
}

/** The plain text among the representations of a topic. Client-Server API v1.19, `m.room.topic`. */
function plainTopicOf(content: JsonObject): string | null {
  const topic = content['m.topic'];
  const representations = isJsonObject(topic) ? topic['m.text'] : undefined;
  if (!Array.isArray(representations)) return null;
  const plain = representations
    .filter(isJsonObject)
    .find(({ mimetype = 'text/plain' }) => mimetype === 'text/plain');
  return plain === undefined ? null : textOf(plain, 'body');
}

/** An edit says what it makes of another message: that is found, not what clients show who do not know edits. */
function messageOf(content: JsonObject): JsonObject {
  const replacement = content['m.new_content'];
  return relationOf(content)?.relType === 'm.replace' && isJsonObject(replacement) ? replacement : content;
}

/** The words of an event that are searched; undefined when it has none. */
export function searchTextOf(event: StoredEvent): Words | undefined {
  const { content } = JSON.parse(event.pdu) as { readonly content: JsonObject };
  const words = wordsOf(event.type, content);
  return Object.values(words).some((text) => text !== null) ? words : undefined;
}

function wordsOf(type: string, content: JsonObject): Words {
  if (type === 'm.room.message') return { ...NO_WORDS, body: textOf(messageOf(content), 'body') };
  if (type === 'm.room.name') return { ...NO_WORDS, name: textOf(content, 'name') };
  const topics = [textOf(content, 'topic'), plainTopicOf(content)].filter((text) => text !== null);
  return { ...NO_WORDS, topic: topics.length === 0 ? null : [...new Set(topics)].join('\n') };
}
