import type { WriteStep } from '../../db/kit/write-set.ts';
import { findFirstExpiry, findMedia, isContentUsed } from '../../db/media/reader.ts';
import {
  fillMedia,
  type MediaGuard,
  noteUse,
  reserveMedia,
  setQuarantine,
  storeMedia,
  storePreview,
  storeRemoteMedia,
} from '../../db/media/writer.ts';
import { mediaFolder, sweepTemporaryFiles } from '../../src/media/blob-store.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { commit } from '../commit.ts';
import { defineActor, type TroupeContext } from '../environment.ts';
import { later } from '../kit/actor.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import { createContentWaiters } from './content-waiters.ts';
import type { MediaProtocol } from './protocol.ts';
import { createRemoteCopies } from './remote-copies.ts';
import { createThumbnailDesk } from './thumbnail-desk.ts';

const MAILBOX_LIMIT = 10_000;
/** Names without content that one user may have. */
export const RESERVED_PER_USER_MAX = 20;
/** How long a name waits for its content, in milliseconds: a day, as the specification recommends. */
export const RESERVATION_MS = 86_400_000;
/** The shortest time that a client is told to wait, in milliseconds. */
const RETRY_AFTER_MS_MIN = 1_000;
/** Uses are noted once in so many milliseconds. */
const USE_INTERVAL_MS = 3_600_000;
/** 62^24 names: nobody guesses one. */
const MEDIA_ID_LENGTH = 24;

type Fill = InputOf<MediaProtocol, 'media.fill'>;

const NO_NAME = refuse('M_NOT_FOUND', 'This media id was not reserved, or its time has passed.');

/** Why a name could not be filled. */
async function whyNotAwaited({ env }: TroupeContext, { mediaId, userId }: Fill): Promise<Refusal> {
  const found = await findMedia(env.db, env.config.server.name, mediaId);
  if (found === undefined) return NO_NAME;
  if (found.uploader !== userId) return refuse('M_FORBIDDEN', 'Somebody else has reserved this media id.');
  if (found.sha256 === null) return NO_NAME;
  return refuse('M_CANNOT_OVERWRITE_MEDIA', 'This media id has its content already.', { status: 409 });
}

/** @returns null when it is written, otherwise which guard said no or why storage cannot be written */
async function write(
  context: TroupeContext,
  steps: readonly WriteStep[],
): Promise<null | MediaGuard | Refusal> {
  const outcome = await commit(context, steps);
  if (outcome.kind === 'committed') return null;
  if (outcome.kind === 'refused') return outcome.refusal as MediaGuard;
  return unavailableRefusal(outcome, context.env.config);
}

/** For writes without a guard. */
async function writeFreely(context: TroupeContext, steps: readonly WriteStep[]): Promise<null | Refusal> {
  const result = await write(context, steps);
  if (typeof result === 'string') throw new Error(`this write has no guard, yet ${result}`);
  return result;
}

async function reserve(
  context: TroupeContext,
  userId: string,
): Promise<OutputOf<MediaProtocol, 'media.reserve'>> {
  const { env, clock, random } = context;
  const now = clock.now();
  const awaited = {
    origin: env.config.server.name,
    mediaId: random.text(MEDIA_ID_LENGTH),
    uploader: userId,
    now,
    expiresTs: now + RESERVATION_MS,
  };
  const refused = await write(context, reserveMedia(awaited, RESERVED_PER_USER_MAX));
  if (refused === null) return { kind: 'reserved', mediaId: awaited.mediaId, expiresTs: awaited.expiresTs };
  if (isRefusal(refused)) return refused;
  const expiry = (await findFirstExpiry(env.db, userId, now)) ?? now;
  return refuse('M_LIMIT_EXCEEDED', `A user has at most ${RESERVED_PER_USER_MAX} uploads that are to come.`, {
    extra: { retry_after_ms: Math.max(RETRY_AFTER_MS_MIN, expiry - now) },
  });
}

/** At the first start only: later ones find gateways that are in the middle of uploads. */
async function sweep(context: TroupeContext): Promise<void> {
  if (context.incarnation > 1) return;
  const { config, db } = context.env;
  const swept = await sweepTemporaryFiles(mediaFolder(config.data.path), (sha256) =>
    isContentUsed(db, sha256),
  );
  if (swept.parts > 0 || swept.orphans > 0) context.log.info('removed unfinished uploads', { ...swept });
}

/** Owner of the rows about media. Their files are in place before it hears of them. */
export const mediaActor = defineActor<MediaProtocol>({
  name: 'media',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
  async start(context) {
    const { env, clock, random } = context;
    const origin = env.config.server.name;
    const waiters = createContentWaiters(clock);
    const thumbnails = createThumbnailDesk(context);
    await sweep(context);
    const copies = await createRemoteCopies(context);
    return {
      handlers: {
        async 'media.store'({ uploader, blob }) {
          const mediaId = random.text(MEDIA_ID_LENGTH);
          const row = { ...blob, origin, mediaId, uploader, now: clock.now() };
          return (await writeFreely(context, storeMedia(row))) ?? { kind: 'stored', mediaId };
        },
        async 'media.store-remote'({ origin: server, mediaId, blob }) {
          const row = { ...blob, origin: server, mediaId, now: clock.now() };
          const refused = await writeFreely(context, storeRemoteMedia(row));
          if (refused !== null) return refused;
          copies.added(blob.sizeBytes);
          return { kind: 'stored' };
        },
        'media.reserve': ({ userId }) => reserve(context, userId),
        async 'media.fill'(input) {
          const { userId, mediaId, blob } = input;
          const row = { ...blob, origin, mediaId, uploader: userId, now: clock.now() };
          const refused = await write(context, fillMedia(row));
          if (isRefusal(refused)) return refused;
          if (refused !== null) return whyNotAwaited(context, input);
          waiters.arrived(mediaId);
          return { kind: 'stored' };
        },
        async 'media.await-content'({ mediaId, waiter, timeoutMs }) {
          // First in line, then the look: what arrives in between is not missed.
          const waiting = waiters.wait(mediaId, waiter, timeoutMs);
          const found = await findMedia(env.db, origin, mediaId);
          if (found === undefined || found.sha256 !== null) waiters.arrived(mediaId);
          return later(waiting);
        },
        'media.stop-awaiting': ({ mediaId, waiter }) => waiters.stop(mediaId, waiter),
        'media.make-thumbnail': (request) => thumbnails.make(request),
        async 'media.note-use'(used) {
          const now = clock.now();
          // Storage that cannot be written loses the note, and nothing else.
          await writeFreely(context, noteUse({ ...used, now, before: now - USE_INTERVAL_MS }));
        },
        async 'media.set-quarantine'({ origin: server, mediaId, by }) {
          const refused = await write(context, setQuarantine({ origin: server, mediaId, quarantinedBy: by }));
          if (refused === null) return { kind: 'set' };
          return isRefusal(refused) ? refused : refuse('M_NOT_FOUND', 'There is no such media.');
        },
        async 'media.store-preview'({ url, language, answer, lifetimeMs }) {
          const now = clock.now();
          const row = { url, language, answer, now, expiresTs: now + lifetimeMs };
          return (await writeFreely(context, storePreview(row))) ?? { kind: 'stored' };
        },
      },
    };
  },
});
