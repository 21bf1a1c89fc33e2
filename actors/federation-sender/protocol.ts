import type { StreamSubscriberProtocol } from '../../src/streams/message.ts';
import type { Ask, Tell } from '../kit/protocol.ts';

/** Another server, as the sender sees it. Times are milliseconds since the Unix epoch. */
export interface DestinationState {
  readonly destination: string;
  /** Null while it answers. */
  readonly failingSinceTs: number | null;
  readonly retryTs: number | null;
  readonly lastError: string | null;
  readonly lastHeardTs: number | null;
  /** What waits in memory. */
  readonly queuedEvents: number;
  readonly queuedEdus: number;
  /** What the peer has, on the events stream. */
  readonly eventsSentUpTo: number;
}

/** Sends transactions to other servers. */
export type FederationSenderProtocol = StreamSubscriberProtocol & {
  /**
   * It answered, or asked us something: what waits goes at once. `isAnswer`: it answered a request of ours, which says nothing of whether it
   * takes what it is sent.
   */
  'federation-sender.note-heard': Tell<{ readonly serverName: string; readonly isAnswer?: boolean }>;
  /** A request to it got no answer. */
  'federation-sender.note-unreachable': Tell<{ readonly serverName: string; readonly reason: string }>;
  /** Their owners have stored something for these servers: messages for devices, changes of device lists. */
  'federation-sender.note-stored': Tell<{
    readonly destinations: readonly string[];
    readonly what: 'messages' | 'device-lists';
  }>;
  /** Events of ours may have been committed that the queue was not told of: they are looked for. */
  'federation-sender.note-loss': Tell<Record<string, never>>;
  /** Destinations by name, after `after`; bounded. */
  'federation-sender.read-destinations': Ask<
    { readonly after: string | null; readonly limit: number },
    readonly DestinationState[]
  >;
  /** Forgets that it is out of reach, and tries. False for one that is not known. */
  'federation-sender.retry-now': Ask<
    { readonly destination: string },
    { readonly kind: 'retried'; readonly isKnown: boolean }
  >;
};
