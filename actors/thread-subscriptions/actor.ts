import type { WriteOutcome } from '../../db/kit/write-set.ts';
import { findThreadSubscription, type ThreadOfUser } from '../../db/thread-subscriptions/reader.ts';
import {
  forgetRoom,
  forgetUser,
  forgetUserInRoom,
  storeSubscription,
  storeUnsubscription,
  THREADS_PER_USER_MAX,
} from '../../db/thread-subscriptions/writer.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { Fact } from '../../src/streams/fact.ts';
import { threadSubscriptionsStream } from '../../src/streams/thread-subscriptions-stream.ts';
import { defineActor } from '../environment.ts';
import { FORGOTTEN_ROWS_MAX, forgetRows, type ForgottenRow } from '../forget-rows.ts';
import type { InputOf } from '../kit/protocol.ts';
import { ownDurableStream } from '../stream-owner.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { SubscriptionStored, ThreadSubscriptionsProtocol } from './protocol.ts';

type Subscribe = InputOf<ThreadSubscriptionsProtocol, 'thread-subscriptions.subscribe'>;
type ForgetRoomOfUser = InputOf<ThreadSubscriptionsProtocol, 'thread-subscriptions.forget-room-of-user'>;

const MAILBOX_LIMIT = 10_000;
/** Changes of one user that are handled before others get their turn. */
const TURN_BUDGET = 16;

function factOf({ userId = '', roomId = '', rootId = '' }: ForgottenRow): Fact {
  return { fact: 'thread-subscription', userId, roomId, rootId };
}

/** Owner of subscriptions to threads. One user's changes are handled one after another. MSC4306. */
export const threadSubscriptionsActor = defineActor<ThreadSubscriptionsProtocol>({
  name: 'thread-subscriptions',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: {
    kind: 'by-key',
    turnBudget: TURN_BUDGET,
    key: (_message, input) => ('userId' in input ? input.userId : null),
  },
  async start(context) {
    const { owner, handlers } = await ownDurableStream(context, threadSubscriptionsStream);
    const { config, db } = context.env;

    const unchanged = (): SubscriptionStored => ({ kind: 'stored', position: owner.currentToken() });

    function toReply(outcome: WriteOutcome): SubscriptionStored | Refusal {
      if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, config);
      if (outcome.kind === 'refused')
        return refuse('M_FORBIDDEN', `You have subscribed to ${THREADS_PER_USER_MAX} threads: no more.`);
      return { kind: 'stored', position: outcome.position ?? owner.currentToken() };
    }

    async function subscribe({ causePlace, ...thread }: Subscribe): Promise<SubscriptionStored | Refusal> {
      const { userId, roomId, rootId } = thread;
      const known = await findThreadSubscription(db, thread);
      const isAutomatic = causePlace !== null;
      if (known?.isSubscribed === true && (isAutomatic || !known.isAutomatic)) return unchanged();
      const unsubscribedAt = known?.unsubscribedAt ?? null;
      if (isAutomatic && unsubscribedAt !== null && causePlace <= unsubscribedAt)
        return refuse(
          'IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION',
          'You have unsubscribed from the thread since that event.',
          { status: 409 },
        );
      return toReply(
        await owner.write({
          count: 1,
          steps: storeSubscription(thread, isAutomatic),
          rows: () => [[{ userId, roomId, rootId }]],
        }),
      );
    }

    async function unsubscribe(thread: ThreadOfUser): Promise<SubscriptionStored | Refusal> {
      const { userId, roomId, rootId } = thread;
      const known = await findThreadSubscription(db, thread);
      if (known?.isSubscribed !== true) return unchanged();
      const { position: place } = await context
        .ref('committer')
        .ask('committer.read-position', { stream: 'events' });
      return toReply(
        await owner.write({
          count: 1,
          steps: storeUnsubscription(thread, place),
          rows: () => [[{ userId, roomId, rootId }]],
        }),
      );
    }

    async function forgetRoomOfUser({ userId, roomId }: ForgetRoomOfUser): Promise<void> {
      for (let isMore = true; isMore;) {
        const forgotten = await forgetRows(
          context,
          forgetUserInRoom(userId, roomId, FORGOTTEN_ROWS_MAX),
          factOf,
        );
        if (isRefusal(forgotten))
          context.log.warn('subscriptions of a forgotten room are left', { userId, roomId });
        isMore = !isRefusal(forgotten) && forgotten.isMore;
      }
    }

    return {
      handlers: {
        ...handlers,
        'thread-subscriptions.subscribe': subscribe,
        'thread-subscriptions.unsubscribe': unsubscribe,
        'thread-subscriptions.forget-room-of-user': forgetRoomOfUser,
        'thread-subscriptions.forget-user': ({ userId }) =>
          forgetRows(context, forgetUser(userId, FORGOTTEN_ROWS_MAX), factOf),
        'thread-subscriptions.forget-room': ({ roomId }) =>
          forgetRows(context, forgetRoom(roomId, FORGOTTEN_ROWS_MAX), factOf),
      },
    };
  },
});
