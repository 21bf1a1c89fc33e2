import type { StateEventText } from '../../db/rooms/directory-reader.ts';
import { isJsonObject, type JsonObject } from '../kit/json.ts';
import { toShownEvent } from '../matrix/events/client-event.ts';
import type { Pdu } from '../matrix/events/pdu.ts';
import type { RoomVersion } from '../matrix/rooms/room-versions.ts';

/** A state event as clients may be shown it: without what a redaction has taken. */
export interface ShownState {
  readonly type: string;
  readonly stateKey: string;
  readonly sender: string;
  readonly content: JsonObject;
  /** In milliseconds since the Unix epoch. */
  readonly originServerTs: number;
}

/** Reads a state event as it is stored. */
export function toShownState(version: RoomVersion, event: StateEventText): ShownState {
  const pdu = JSON.parse(event.pdu) as Pdu;
  const { content } = toShownEvent(version, event.eventId, pdu, event.isRedacted);
  return {
    type: event.type,
    stateKey: event.stateKey,
    sender: pdu.sender,
    content: isJsonObject(content) ? content : {},
    originServerTs: pdu.origin_server_ts,
  };
}
