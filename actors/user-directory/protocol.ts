import type { StreamSubscriberProtocol } from '../../src/streams/message.ts';
import type { Ask } from '../kit/protocol.ts';

/** How far the directory is. */
export interface DirectoryState {
  /** Of the events stream: what happened up to here is in the directory. */
  readonly eventsUpTo: number;
  /** Something is still to be put in: changes of rooms or of profiles, or everything. */
  readonly isBusy: boolean;
}

/** The owner of the user directory. It follows the events stream and the facts about accounts. */
export type UserDirectoryProtocol = StreamSubscriberProtocol & {
  /** How far it is. */
  'user-directory.read-state': Ask<null, DirectoryState>;
};
