import type { StreamSubscriberProtocol } from '../../src/streams/message.ts';

/** The subscriber of a thread: one per thread that looks at streams. */
export type ViewsProtocol = StreamSubscriberProtocol;
