import { type StreamDeclaration, type StreamStart, streamStartQuery } from '../kit/positions.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** Where a stream stands according to the database: the very start that its writer takes. */
export function readStreamStart(db: ReadDb, stream: StreamDeclaration): Promise<StreamStart> {
  return db.get(streamStartQuery(stream), { stream: stream.name });
}
