import { deviceListsStream } from '../streams/device-lists-stream.ts';
import { keysStream } from '../streams/keys-stream.ts';
import { isFromBeforeRestore } from '../streams/lost-positions.ts';
import { toDeviceStream } from '../streams/to-device-stream.ts';
import { positionIn, type StreamPositionOfClient, type SyncToken } from '../streams/token.ts';

/**
 * Streams that are not told again: a position of messages to devices says what has arrived, and may be deleted; a restore itself writes to
 * the others what all clients have to be told.
 */
const KEPT: ReadonlySet<string> = new Set([toDeviceStream.name, deviceListsStream.name, keysStream.name]);

/**
 * What a token from before a restore means after it: its client may have events, memberships and account data that were lost, and is told everything
 * again from the beginning, once, as far as it is known now. Any other token is what it was.
 *
 * @param now the view's vector
 */
export function forgetLost(since: SyncToken, now: SyncToken): SyncToken {
  const lost = Object.entries(since.positions).filter(
    ([stream, { epoch, position }]) =>
      !KEPT.has(stream) &&
      position > 0 &&
      epoch === 0 &&
      isFromBeforeRestore(position, positionIn(now, stream).position),
  );
  if (lost.length === 0) return since;
  const positions: Record<string, StreamPositionOfClient> = { ...since.positions };
  for (const [stream] of lost) positions[stream] = { epoch: 0, position: 0 };
  return { positions };
}
