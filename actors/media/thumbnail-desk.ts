import { LRUCache } from 'lru-cache';
import { findThumbnail } from '../../src/media/find-thumbnail.ts';
import { blobPath, mediaFolder } from '../../src/media/blob-store.ts';
import {
  type ThumbnailFile,
  thumbnailKey,
  thumbnailPath,
  type ThumbnailRequest,
} from '../../src/media/thumbnail.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import { createTurns } from '../turns.ts';

/** Thumbnails that are made at the same time: each holds a picture in memory. */
export const RENDERS_MAX = 2;
/** Thumbnails that wait to be made. */
export const RENDERS_WAITING_MAX = 200;
/** Pictures that are remembered as impossible. */
const IMPOSSIBLE_MAX = 2_000;
/** When to try again after too many waited, in milliseconds. */
const RETRY_AFTER_MS = 2_000;

const busy = refuse('M_LIMIT_EXCEEDED', 'Too many thumbnails are being made; try again soon.', {
  extra: { retry_after_ms: RETRY_AFTER_MS },
});

/** Makes each thumbnail once, few at a time. */
export interface ThumbnailDesk {
  make(request: ThumbnailRequest): Promise<ThumbnailFile | Refusal>;
}

/** Makes the desk of the actor. The pool renders; who asks for the same thumbnail at the same moment gets the same answer. */
export function createThumbnailDesk(context: TroupeContext): ThumbnailDesk {
  const folder = mediaFolder(context.env.config.data.path);
  const pool = context.ref('pool');
  const underWay = new Map<string, Promise<ThumbnailFile | Refusal>>();
  const impossible = new LRUCache<string, Refusal>({ max: IMPOSSIBLE_MAX });
  const turns = createTurns(RENDERS_MAX);

  const render = async (key: string, request: ThumbnailRequest): Promise<ThumbnailFile | Refusal> => {
    const made = await findThumbnail(folder, request);
    if (made !== undefined) return made;
    const { sha256, width, height, method, animated } = request;
    const task = {
      source: blobPath(folder, sha256),
      target: thumbnailPath(folder, request),
      width,
      height,
      method,
      animated,
    };
    const rendered = await turns.run(() => pool.ask('pool.render-thumbnail', task));
    if (isRefusal(rendered) && rendered.status < 429) impossible.set(key, rendered);
    return rendered;
  };

  return {
    make(request) {
      const key = thumbnailKey(request);
      const refused = impossible.get(key);
      if (refused !== undefined) return Promise.resolve(refused);
      const known = underWay.get(key);
      if (known !== undefined) return known;
      if (turns.waiting >= RENDERS_WAITING_MAX) return Promise.resolve(busy);
      const work = render(key, request).finally(() => underWay.delete(key));
      underWay.set(key, work);
      return work;
    },
  };
}
