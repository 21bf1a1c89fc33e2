import type { ReadDb } from '../../db/kit/read-db.ts';
import { readStreamStart } from '../../db/streams/reader.ts';
import { streams as registered } from './registry.ts';
import type { Stream } from './stream.ts';
import { clampToken, positionIn, type SyncToken } from './token.ts';
import type { StreamViews } from './view.ts';

/**
 * What a client's token means on this thread. Another thread may have given it out and be ahead of this one: then this waits until
 * the local view has caught up (bounded as in {@link StreamViews.reached}), so that the client is never told again what it has. What
 * was never allocated is not waited for but clamped (STREAMS.md 4.8).
 *
 * @param token as the client sent it
 * @returns a token that is nowhere ahead of the local view, each position in the current epoch of its stream
 */
export async function admitToken(
  token: SyncToken,
  views: StreamViews,
  db: ReadDb,
  streams: readonly Stream[] = registered,
): Promise<SyncToken> {
  const ahead = streams.filter(({ name, letter }) => {
    if (letter === null) return false;
    const { epoch, position } = positionIn(token, name);
    return epoch === views.epoch(name) && position > views.currentToken(name);
  });
  await Promise.all(
    ahead.map(async (stream) => {
      // Rows of in-memory streams are the latest of their key: told twice, they say the same.
      if (stream.kind === 'memory') return;
      const { forward } = await readStreamStart(db, stream);
      await views.reached(stream.name, Math.min(forward, positionIn(token, stream.name).position));
    }),
  );
  return clampToken(token, views.now());
}
