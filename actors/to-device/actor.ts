import { deleteSentMessages, storeOutbound } from '../../db/to-device/outbound-writer.ts';
import {
  deleteDevice,
  deleteUpTo,
  DUPLICATE_TRANSACTION,
  keepNewest,
  type NewMessage,
  storeMessages,
} from '../../db/to-device/writer.ts';
import { step, type WriteStep } from '../../db/kit/write-set.ts';
import { refuse } from '../../src/matrix/refusal.ts';
import { toDeviceStream } from '../../src/streams/to-device-stream.ts';
import { commit } from '../commit.ts';
import { defineActor } from '../environment.ts';
import { type Later, later } from '../kit/actor.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { ownDurableStream } from '../stream-owner.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import { createInboxChecks, INBOX_MESSAGES_MAX } from './inbox-checks.ts';
import type { ToDeviceProtocol } from './protocol.ts';
import { createOutboxChecks, tellSender } from './outbox.ts';
import { MESSAGES_PER_REQUEST_MAX, type SortedMessages, sortMessages } from './sort-messages.ts';

type SendMessages = InputOf<ToDeviceProtocol, 'to-device.send-messages'>;
type Sent = OutputOf<ToDeviceProtocol, 'to-device.send-messages'>;
type Deleted = OutputOf<ToDeviceProtocol, 'to-device.delete-received'>;

const MAILBOX_LIMIT = 10_000;

/** Owner of the to-device stream: messages wait here until their device has acknowledged them. */
export const toDeviceActor = defineActor<ToDeviceProtocol>({
  name: 'to-device',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  // In order of arrival, so that a device gets what one sender sent in the order in which it was sent.
  order: { kind: 'serial' },
  async start(context) {
    const { owner, handlers } = await ownDurableStream(context, toDeviceStream);
    const { config, db } = context.env;
    const dueInboxes = createInboxChecks();
    const dueOutboxes = createOutboxChecks();

    function noteDropped(
      due: readonly NewMessage[],
      firstStep: number,
      returned: Readonly<Record<number, readonly unknown[]>>,
    ): void {
      for (const [index, { userId, deviceId }] of due.entries()) {
        const count = returned[firstStep + index]?.length ?? 0;
        if (count > 0)
          context.log.warn('an inbox was full: its oldest messages went', { userId, deviceId, count });
      }
    }

    async function store(input: SendMessages, { local, outbound }: SortedMessages): Promise<Sent> {
      const { sender: userId, senderDevice: deviceId, txnId } = input;
      const steps = storeMessages({ userId, deviceId, txnId, now: context.clock.now() }, local);
      const due = dueInboxes(local);
      const outcome = await owner.write({
        count: local.length + outbound.length,
        steps: [
          ...steps,
          ...due.map((device) => keepNewest(device, INBOX_MESSAGES_MAX)),
          ...storeOutbound(outbound, local.length),
          ...dueOutboxes(outbound),
        ],
        rows: () => [
          ...local.map((message) => [{ userId: message.userId, deviceId: message.deviceId }]),
          ...outbound.map(() => []),
        ],
      });
      if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, config);
      if (outcome.kind === 'refused' && outcome.refusal !== DUPLICATE_TRANSACTION)
        throw new Error(outcome.refusal);
      if (outcome.kind === 'committed') noteDropped(due, steps.length, outcome.returned);
      if (outcome.kind === 'committed') tellSender(context, outbound);
      return { kind: 'stored', position: owner.currentToken() };
    }

    async function send(input: SendMessages): Promise<Sent | Later<Sent>> {
      const messages = await sortMessages(db, config.server.name, context.random, input);
      if (messages === null)
        return refuse('M_TOO_LARGE', `messages: at most ${MESSAGES_PER_REQUEST_MAX} devices in one request`);
      if (messages.local.length + messages.outbound.length === 0)
        return { kind: 'stored', position: owner.currentToken() };
      // The next request is handled while this one waits for its commit: writes are committed in the order of the calls.
      return later(store(input, messages));
    }

    async function remove(steps: readonly WriteStep[]): Promise<Deleted> {
      const outcome = await commit(context, steps);
      if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, config);
      if (outcome.kind === 'refused') throw new Error(`a deletion has no guard, yet ${outcome.refusal}`);
      return { kind: 'deleted', count: outcome.returned[0]?.length ?? 0 };
    }

    return {
      handlers: {
        ...handlers,
        'to-device.send-messages': send,
        'to-device.delete-received': ({ userId, deviceId, position }) =>
          later(remove(deleteUpTo({ userId, deviceId, upTo: position }))),
        'to-device.delete-sent': ({ destination, upTo }) =>
          later(remove([step(deleteSentMessages, { destination, upTo }, { returns: true })])),
        'to-device.delete-device': ({ userId, deviceId }) => later(remove(deleteDevice(userId, deviceId))),
      },
    };
  },
});
