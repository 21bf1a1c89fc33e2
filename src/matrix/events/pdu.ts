import type { Json, JsonObject } from '../../kit/json.ts';

/** A PDU before it is hashed and signed: all that the authorisation rules look at. */
export interface ProtoPdu extends JsonObject {
  readonly type: string;
  readonly sender: string;
  /** Absent in the create event of room version 12 and later. */
  readonly room_id?: string;
  /** Room versions 1 and 2 only. */
  readonly event_id?: string;
  /** Present, even if empty, exactly when the event is state. */
  readonly state_key?: string;
  readonly content: JsonObject;
  readonly depth: number;
  /** Milliseconds since the Unix epoch. */
  readonly origin_server_ts: number;
  /** Event ids; in room versions 1 and 2 pairs of an id and hashes. Read them with `edgeIds`. */
  readonly prev_events: readonly Json[];
  readonly auth_events: readonly Json[];
  /** Of a redaction in room versions 1 to 10. */
  readonly redacts?: string;
  readonly unsigned?: JsonObject;
}

/** A persistent data unit: an event as servers exchange and store it. Server-Server API v1.19, "PDUs"; each room version's "Event format". */
export interface Pdu extends ProtoPdu {
  readonly hashes: JsonObject;
  /** By server name, then by key id. */
  readonly signatures: JsonObject;
}
