import type { WriteOutcome, WriteStep } from '../../db/kit/write-set.ts';
import { findPushProgress } from '../../db/push/event-reader.ts';
import { readPushers, readUsersWithPushers } from '../../db/push/pusher-reader.ts';
import { deletePusher, storeDelivery, storePusher, sweepPushers } from '../../db/push/pusher-writer.ts';
import { beginProgress, forgetRoom } from '../../db/push/writer.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { pushStream } from '../../src/streams/push-stream.ts';
import { commit } from '../commit.ts';
import { defineActor, type TroupeContext } from '../environment.ts';
import { FORGOTTEN_ROWS_MAX, forgetRows } from '../forget-rows.ts';
import type { InputOf } from '../kit/protocol.ts';
import { ownDurableStream } from '../stream-owner.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import { createEvaluationLoop } from './evaluation-loop.ts';
import type { PushProtocol, PushStored } from './protocol.ts';
import { pruneRegularly } from './retention.ts';
import { followStream } from '../stream-follower.ts';

type SetPusher = InputOf<PushProtocol, 'push.set-pusher'>;

const MAILBOX_LIMIT = 10_000;
/** Changes of one user's pushers that are handled before others get their turn. */
const TURN_BUDGET = 16;
/** Pushers of one user. */
export const PUSHERS_PER_USER_MAX = 100;

/** Up to where events are evaluated. The first time it begins now: nobody is notified of the past. */
async function loadProgress(context: TroupeContext): Promise<number> {
  const known = await findPushProgress(context.env.db);
  if (known !== undefined) return known;
  const { position } = await context.ref('committer').ask('committer.read-position', { stream: 'events' });
  const outcome = await commit(context, beginProgress(position));
  if (outcome.kind !== 'committed') throw new Error(`notifications cannot begin: ${outcome.kind}`);
  return (await findPushProgress(context.env.db)) ?? position;
}

/**
 * Owner of notifications and pushers: evaluates the push rules of this server's users over events after those are committed, so that no send
 * waits for it. Where it is, is stored with what it found out: after a crash it goes on there, and finds out nothing twice.
 */
export const pushActor = defineActor<PushProtocol>({
  name: 'push',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: {
    kind: 'by-key',
    turnBudget: TURN_BUDGET,
    key: (message, input) => (message === 'push.set-pusher' ? (input as SetPusher).pusher.userId : null),
  },
  async start(context) {
    const { owner, handlers } = await ownDurableStream(context, pushStream);
    const { config, db } = context.env;
    const progress = await loadProgress(context);
    const users = await readUsersWithPushers(db);
    const loop = createEvaluationLoop(context, owner, progress, (userId) => users.has(userId));
    const follower = followStream(context, { owner: 'rooms', stream: 'events', positionsOnly: true });
    const hear = ({ position }: { readonly position: number }): void => {
      follower.hear();
      loop.advance(position);
    };
    pruneRegularly(context);

    function toReply(outcome: WriteOutcome): PushStored | Refusal {
      if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, config);
      if (outcome.kind === 'refused') throw new Error(`a pusher has no guard, yet ${outcome.refusal}`);
      return { kind: 'stored' };
    }

    /** A change that the user's pushers are told of. */
    const writeOf = async (userId: string, steps: readonly WriteStep[]): Promise<PushStored | Refusal> =>
      toReply(await owner.write({ count: 1, steps, rows: () => [[{ userId }]] }));

    async function setPusher({ pusher, isOnly }: SetPusher): Promise<PushStored | Refusal> {
      const { userId, appId, pushkey, isEnabled } = pusher;
      const others = (await readPushers(db, userId)).filter(
        (other) => other.appId !== appId || other.pushkey !== pushkey,
      );
      if (others.length >= PUSHERS_PER_USER_MAX)
        return refuse(
          'M_INVALID_PARAM',
          `You have ${PUSHERS_PER_USER_MAX} pushers: that is how many there may be.`,
        );
      users.add(userId);
      const row = { ...pusher, isEnabled: isEnabled ? 1 : 0, setTs: context.clock.now() };
      return writeOf(userId, storePusher(row, isOnly));
    }

    return {
      handlers: {
        ...handlers,
        'stream.rows': hear,
        'stream.position': hear,
        'push.set-pusher': setPusher,
        'push.delete-pusher': (name) => writeOf(name.userId, deletePusher(name)),
        'push.sweep-pushers': async ({ userId }) => toReply(await commit(context, sweepPushers(userId))),
        'push.record-delivery': async (delivery) => toReply(await commit(context, storeDelivery(delivery))),
        'push.forget-room': ({ roomNid }) =>
          forgetRows(context, forgetRoom(roomNid, FORGOTTEN_ROWS_MAX), () => null),
      },
      stop: () => follower.stop(),
    };
  },
});
