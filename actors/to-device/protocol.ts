import type { JsonObject } from '../../src/kit/json.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import type { Ask } from '../kit/protocol.ts';

export type ToDeviceProtocol = StreamOwnerProtocol & {
  /** Queues messages for devices: `messages[userId][deviceId]`, `*` for every device. Those of other servers' users go there. Idempotent by transaction. */
  'to-device.send-messages': Ask<
    {
      readonly sender: string;
      readonly senderDevice: string;
      readonly txnId: string;
      readonly type: string;
      readonly messages: Readonly<Record<string, Readonly<Record<string, JsonObject>>>>;
    },
    { readonly kind: 'stored'; readonly position: number } | Refusal
  >;
  /** The device has everything up to `position`: deletes it. */
  'to-device.delete-received': Ask<
    { readonly userId: string; readonly deviceId: string; readonly position: number },
    { readonly kind: 'deleted'; readonly count: number } | Refusal
  >;
  /** A server has all messages for its users' devices up to this position. */
  'to-device.delete-sent': Ask<
    { readonly destination: string; readonly upTo: number },
    { readonly kind: 'deleted'; readonly count: number } | Refusal
  >;
  /** The device is gone, with its messages and what is remembered of those that it sent. */
  'to-device.delete-device': Ask<
    { readonly userId: string; readonly deviceId: string },
    { readonly kind: 'deleted'; readonly count: number } | Refusal
  >;
};
