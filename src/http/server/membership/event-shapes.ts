import { Type } from 'typebox';

/** The path parameters of what is sent as one event. */
export const EVENT_PARAMS = Type.Object({ roomId: Type.String(), eventId: Type.String() });

/** An event, whose fields the room version decides about. */
export const ANY_EVENT = Type.Record(Type.String(), Type.Unknown());
