import type { StreamSubscriberProtocol } from '../../src/streams/message.ts';

/** The sender of pushes: it is told whose pushers have something to look at, and looks. */
export type PushSenderProtocol = StreamSubscriberProtocol;
