import { forgetRoom, forgetUser } from '../../db/delayed-events/writer.ts';
import { commit } from '../commit.ts';
import { defineActor } from '../environment.ts';
import { FORGOTTEN_ROWS_MAX, forgetRows } from '../forget-rows.ts';
import { followStream } from '../stream-follower.ts';
import { deliverEvent, type Occasion } from './deliver-event.ts';
import { startDueLoop } from './due-loop.ts';
import { cancelSuperseded, manageEvent } from './manage-event.ts';
import { createOneAtATime } from './one-at-a-time.ts';
import type { DelayedEventsProtocol } from './protocol.ts';
import { pruneRegularly } from './prune-finalised.ts';
import { scheduleEvent } from './schedule-event.ts';
import { createSupersededWatch } from './superseded.ts';

const MAILBOX_LIMIT = 10_000;
/** Messages of one user that are handled before others get their turn. */
const TURN_BUDGET = 16;
/** Positions that one life has heard of come one after the other. */
const STREAM_KEY = 'events';

/**
 * Owner of events that are sent later. MSC4140. They are their user's, not a device's: that one leaves a call although the device is gone is
 * what they are for.
 */
export const delayedEventsActor = defineActor<DelayedEventsProtocol>({
  name: 'delayed-events',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: {
    kind: 'by-key',
    turnBudget: TURN_BUDGET,
    key(_message, input) {
      if ('userId' in input) return input.userId;
      return 'stream' in input ? STREAM_KEY : null;
    },
  },
  async start(context) {
    // What an earlier life has left with the committer has its outcome before this: sets of one owner commit in their order.
    await commit(context, []);
    const oneAtATime = createOneAtATime();
    const deliver = (delayId: string, occasion: Occasion) => deliverEvent(context, delayId, occasion);
    const due = startDueLoop(context, (delayId, occasion) =>
      oneAtATime(delayId, () => deliver(delayId, occasion)),
    );
    const follower = followStream(context, { owner: 'rooms', stream: 'events', positionsOnly: false });
    const superseded = createSupersededWatch(context, follower, (delayId) =>
      oneAtATime(delayId, () => cancelSuperseded(context, delayId)),
    );
    pruneRegularly(context);
    return {
      handlers: {
        'stream.rows': (message) => superseded.hearRows(message),
        'stream.position': (message) => superseded.hearPosition(message),
        'delayed-events.schedule': (input) => scheduleEvent(context, input, (dueTs) => due.expect(dueTs)),
        'delayed-events.manage': (input) =>
          oneAtATime(input.delayId, () =>
            manageEvent(context, input, (occasion) => deliver(input.delayId, occasion)),
          ),
        async 'delayed-events.forget-user'({ userId }) {
          const forgotten = await forgetRows(context, forgetUser(userId, FORGOTTEN_ROWS_MAX), () => null);
          return forgotten.kind === 'refused' ? forgotten : { kind: 'forgotten', isMore: forgotten.isMore };
        },
        'delayed-events.forget-room': ({ roomId }) =>
          forgetRows(context, forgetRoom(roomId, FORGOTTEN_ROWS_MAX), () => null),
      },
      stop: () => follower.stop(),
    };
  },
});
