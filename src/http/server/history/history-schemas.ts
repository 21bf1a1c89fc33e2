import { Type } from 'typebox';

/** An event: what it holds depends on its room's version. */
export const ANY_PDU = Type.Record(Type.String(), Type.Unknown());
/** A room, and an event of it, in the path. */
export const ROOM_AND_EVENT = Type.Object({ roomId: Type.String(), eventId: Type.String() });
/** An event in the query string. */
export const AT_EVENT = Type.Object({ event_id: Type.String() });
