import { findPreview } from '../../db/media/reader.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { defineActor, type TroupeContext } from '../environment.ts';
import type { OutputOf } from '../kit/protocol.ts';
import { createTurns } from '../turns.ts';
import type { PreviewMaker } from './preview-maker.ts';
import type { PreviewsProtocol } from './protocol.ts';

type Found = OutputOf<PreviewsProtocol, 'previews.find'>;

const MAILBOX_LIMIT = 1_000;
/** Pages that are opened at the same time. */
export const PAGES_MAX = 8;
/** Pages that wait to be opened. */
export const PAGES_WAITING_MAX = 32;
/** How long what a page says is believed, in milliseconds. */
export const PREVIEW_LIFETIME_MS = 3_600_000;
/** How long a page that says nothing, or cannot be read, is left alone, in milliseconds. */
export const NO_PREVIEW_LIFETIME_MS = 600_000;
/** When to try again after too many waited, in milliseconds. */
const RETRY_AFTER_MS = 2_000;

const NO_URL = refuse('M_INVALID_PARAM', 'url is not an http or https URL.');
const FORBIDDEN = refuse('M_FORBIDDEN', 'The address of this page is out of bounds.');
const BUSY = refuse('M_LIMIT_EXCEEDED', 'Too many pages are being opened; try again soon.', {
  extra: { retry_after_ms: RETRY_AFTER_MS },
});

/** The URL without its fragment, which servers never see; null for what is no http(s) URL. */
function parsePageUrl(text: string): URL | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return null;
  url.hash = '';
  url.username = '';
  url.password = '';
  return url;
}

/** Loaded with the first page: a server that has just started opens none. */
async function openMaker(context: TroupeContext): Promise<PreviewMaker> {
  const { createPreviewMaker } = await import('./preview-maker.ts');
  return createPreviewMaker(context);
}

/** Opens pages that people have posted, away from the threads that others wait for. It owns nothing: `media` keeps what it finds. */
export const previewsActor = defineActor<PreviewsProtocol>({
  name: 'previews',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
  start(context) {
    const { env, clock } = context;
    let maker: Promise<PreviewMaker> | null = null;
    const underWay = new Map<string, Promise<Found>>();
    const turns = createTurns(PAGES_MAX);

    async function open(url: URL, language: string): Promise<Found> {
      const known = await findPreview(env.db, url.href, language, clock.now());
      if (known !== undefined) return { kind: 'preview', answer: known };
      maker ??= openMaker(context);
      const { make } = await maker;
      const made = await turns.run(() => make(url, language));
      if (made === null) return FORBIDDEN;
      const answer = JSON.stringify(made);
      const lifetimeMs = answer === '{}' ? NO_PREVIEW_LIFETIME_MS : PREVIEW_LIFETIME_MS;
      const kept: unknown = await context
        .ref('media')
        .ask('media.store-preview', { url: url.href, language, answer, lifetimeMs });
      if (isRefusal(kept)) context.log.warn('a preview was not kept', { errcode: kept.errcode });
      return { kind: 'preview', answer };
    }

    return {
      handlers: {
        'previews.find'({ url: text, language }): Promise<Found> | Refusal {
          const url = parsePageUrl(text);
          if (url === null) return NO_URL;
          const key = `${language}\n${url.href}`;
          const known = underWay.get(key);
          if (known !== undefined) return known;
          if (turns.waiting >= PAGES_WAITING_MAX) return BUSY;
          const work = open(url, language).finally(() => underWay.delete(key));
          underWay.set(key, work);
          return work;
        },
      },
    };
  },
});
