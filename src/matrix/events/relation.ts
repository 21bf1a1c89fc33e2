import { isJsonObject, type JsonObject } from '../../kit/json.ts';

/** What an event says that it relates to. Client-Server API v1.19, "Forming relationships between events". */
export interface Relation {
  readonly relType: string;
  readonly parentId: string;
  /** Of annotations; null for any other. */
  readonly key: string | null;
}

/**
 * What an event relates to. Null for one that relates to nothing, for a reply (it has no `rel_type`), and for what is not of the right
 * shape: that is ignored.
 */
export function relationOf(content: JsonObject): Relation | null {
  const relatesTo = content['m.relates_to'];
  if (!isJsonObject(relatesTo)) return null;
  const { rel_type: relType, event_id: parentId, key } = relatesTo;
  if (typeof relType !== 'string' || typeof parentId !== 'string') return null;
  return { relType, parentId, key: typeof key === 'string' ? key : null };
}
