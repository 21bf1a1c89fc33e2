import { accountDataStream } from './account-data-stream.ts';
import { cachesStream } from './caches-stream.ts';
import { deviceListsStream } from './device-lists-stream.ts';
import { eventsStream } from './events-stream.ts';
import { federationStream } from './federation-stream.ts';
import { keysStream } from './keys-stream.ts';
import { presenceStream } from './presence-stream.ts';
import { pushStream } from './push-stream.ts';
import { pushRulesStream } from './push-rules-stream.ts';
import { receiptsStream } from './receipts-stream.ts';
import type { Stream } from './stream.ts';
import { threadSubscriptionsStream } from './thread-subscriptions-stream.ts';
import { toDeviceStream } from './to-device-stream.ts';
import { typingStream } from './typing-stream.ts';

/** Every stream of the program: the only list. Their order is the order of the letters in a client's token. */
export const streams: readonly Stream[] = [
  eventsStream,
  accountDataStream,
  receiptsStream,
  toDeviceStream,
  deviceListsStream,
  keysStream,
  pushRulesStream,
  threadSubscriptionsStream,
  typingStream,
  presenceStream,
  federationStream,
  pushStream,
  cachesStream,
];
