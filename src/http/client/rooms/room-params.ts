import { Type } from 'typebox';

/** The path parameter of everything about one room. */
export const ROOM_PARAMS = Type.Object({ roomId: Type.String() });

/** A JSON object whose fields the endpoint does not look at. */
export const ANY_OBJECT = Type.Record(Type.String(), Type.Unknown());

/** The reply of what only says that it was done. */
export const NOTHING = Type.Object({});
