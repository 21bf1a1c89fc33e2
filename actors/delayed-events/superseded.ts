import { readSuperseded, readSupersededAt, type StatePlace } from '../../db/delayed-events/reader.ts';
import type { EventsRow } from '../../db/rooms/stream-reader.ts';
import type { StreamPosition, StreamRows } from '../../src/streams/message.ts';
import type { TroupeContext } from '../environment.ts';
import type { StreamFollower } from '../stream-follower.ts';

/** Superseded events that are cancelled at once. */
const SUPERSEDED_PAGE = 100;

/** Hears of what happens in rooms. */
export interface SupersededWatch {
  hearRows(message: StreamRows): Promise<void>;
  hearPosition(message: StreamPosition): Promise<void>;
}

/** The places of states that rows say have changed, each once. */
function placesOf(rows: StreamRows['rows']): readonly StatePlace[] {
  const places = new Map<string, StatePlace>();
  for (const { row } of rows as readonly { readonly row: EventsRow }[]) {
    if (row.kind === 'room' || row.stateKey === null) continue;
    const { roomId, type, stateKey } = row;
    places.set(JSON.stringify([roomId, type, stateKey]), { roomId, type, stateKey });
  }
  return [...places.values()];
}

/**
 * Cancels delayed state events for places that somebody else has written since they were scheduled: who comes after the sender's time says
 * what holds. MSC4140 leaves it open. What was written while nobody listened is found when listening begins again.
 *
 * @param cancel false when storage cannot be written: then all are looked at with the next message
 */
export function createSupersededWatch(
  context: Pick<TroupeContext, 'env'>,
  follower: StreamFollower,
  cancel: (delayId: string) => Promise<boolean>,
): SupersededWatch {
  const { db } = context.env;
  let upTo: number | null = null;

  async function cancelAll(delayIds: readonly string[]): Promise<boolean> {
    const done = await Promise.all(delayIds.map(cancel));
    return done.every(Boolean);
  }

  /** @returns false when storage cannot be written */
  async function lookAtAll(): Promise<boolean> {
    for (;;) {
      // A page is out of the way before the next is read.
      const superseded = await readSuperseded(db, SUPERSEDED_PAGE);
      if (!(await cancelAll(superseded))) return false;
      if (superseded.length < SUPERSEDED_PAGE) return true;
    }
  }

  async function lookAt(rows: StreamRows['rows']): Promise<boolean> {
    for (const place of placesOf(rows)) {
      const superseded = await readSupersededAt(db, place);
      if (superseded.length > 0 && !(await cancelAll(superseded))) return false;
    }
    return true;
  }

  return {
    async hearRows({ prev, position, rows }) {
      follower.hear();
      const isWhole = upTo !== null && prev <= upTo;
      upTo = (await (isWhole ? lookAt(rows) : lookAtAll())) ? position : null;
    },
    async hearPosition({ prev, position }) {
      follower.hear();
      const isWhole = upTo !== null && prev <= upTo;
      upTo = isWhole || (await lookAtAll()) ? position : null;
    },
  };
}
