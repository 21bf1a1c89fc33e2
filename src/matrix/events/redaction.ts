import { isJsonObject } from '../../kit/json.ts';
import type { Json, JsonObject } from '../../kit/json.ts';
import type { RoomVersion } from '../rooms/room-versions.ts';
import type { Pdu, ProtoPdu } from './pdu.ts';
import type { ContentRule } from './redaction-rules.ts';

/**
 * Takes everything out of an event that its room version does not protect. `unsigned` always goes. A redacted event stays as it is.
 * Each room version, "Redactions".
 */
export function redact(version: RoomVersion, pdu: Pdu): Pdu;
export function redact(version: RoomVersion, pdu: ProtoPdu): ProtoPdu;
export function redact(version: RoomVersion, pdu: ProtoPdu): ProtoPdu {
  const kept: [string, Json][] = [];
  for (const key of Object.keys(pdu)) {
    if (!version.redaction.topLevel.has(key)) continue;
    kept.push([key, key === 'content' ? redactContent(version, pdu.type, pdu.content) : (pdu[key] as Json)]);
  }
  return Object.fromEntries(kept) as ProtoPdu;
}

/** What stays of an event's content when the event is redacted. */
export function redactContent(version: RoomVersion, type: string, content: JsonObject): JsonObject {
  const rule = version.redaction.content.get(type);
  if (rule === 'all') return content;
  return rule === undefined ? {} : keepKeys(rule, content);
}

function keepKeys(rule: Exclude<ContentRule, 'all'>, content: JsonObject): JsonObject {
  const kept: Record<string, Json> = {};
  for (const key of rule.keys) {
    if (Object.hasOwn(content, key)) kept[key] = content[key] as Json;
  }
  for (const [outer, innerKeys] of Object.entries(rule.nested ?? {})) {
    const inner = Object.hasOwn(content, outer) ? content[outer] : undefined;
    if (!isJsonObject(inner)) continue;
    // The outer object stays even when nothing in it does: the rule protects a key within it, and others keep it too.
    const present = innerKeys.filter((key) => Object.hasOwn(inner, key));
    kept[outer] = Object.fromEntries(present.map((key) => [key, inner[key] as Json]));
  }
  return kept;
}
