import { cachesStream, type CachesRow } from '../../src/streams/caches-stream.ts';
import { defineActor } from '../environment.ts';
import { later } from '../kit/actor.ts';
import { type DurableStreamOwner, ownDurableStream } from '../stream-owner.ts';
import { createPoker } from './poker.ts';
import type { CachesProtocol } from './protocol.ts';

/** How many changes may wait. */
export const CACHES_MAILBOX_MAX = 10_000;

/**
 * A life that ended may have held pokes that it never told. One position without a poke makes the next life's POSITION a gap for
 * every subscriber, and a gap of this stream clears their caches (STREAMS.md 7.7).
 */
async function leaveGap(owner: DurableStreamOwner<CachesRow>): Promise<void> {
  const outcome = await owner.write({ count: 1, steps: [], rows: () => [] });
  if (outcome.kind !== 'committed')
    throw new Error(`the caches stream cannot begin: storage is ${outcome.kind}`);
}

/** Owns the caches stream: tells every thread, coalesced, what no other stream's rows make untrue. */
export const cachesActor = defineActor<CachesProtocol>({
  name: 'caches',
  mailbox: { limit: CACHES_MAILBOX_MAX, whenFull: 'refuse' },
  order: { kind: 'serial' },
  async start(context) {
    const { owner, handlers } = await ownDurableStream(context, cachesStream);
    if (context.incarnation > 1) await leaveGap(owner);
    const poker = createPoker(context, owner);
    return {
      handlers: {
        ...handlers,
        'caches.room-changed': ({ roomId, invalidations, members }) =>
          poker.roomChanged(roomId, invalidations, members),
        'caches.invalidate': ({ facts }) => poker.invalidate(facts),
        // The flush stands behind this message: the turn ends before it.
        'caches.publish': ({ facts }) => later(poker.publish(facts).then((position) => ({ position }))),
        'caches.flush-pokes': () => poker.flush(),
      },
    };
  },
});
