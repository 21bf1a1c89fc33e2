import { Type } from 'typebox';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import { JsonText } from '../../kit/endpoint.ts';
import type { Services } from '../../kit/services.ts';

/** `ts` is only a wish, and the newest page is always good. */
export const previewQuery = Type.Object({
  url: Type.String({ minLength: 1, maxLength: 8_192 }),
  ts: Type.Optional(Type.Integer()),
});

/** How long a page may take, with all its redirections and its picture, in milliseconds: more than all of their own limits. */
const PREVIEW_DEADLINE_MS = 60_000;

/** The longest `Accept-Language` that is passed on, in characters. */
const LANGUAGE_LENGTH_MAX = 128;

/**
 * What a page says of itself.
 *
 * @param acceptLanguage the client's header; empty for none
 * @returns a JSON object, or a refusal: 404 `M_UNRECOGNIZED` where previews are switched off, and those of `previews.find`
 */
export async function previewUrl(
  { config, previews }: Pick<Services, 'config' | 'previews'>,
  url: string,
  acceptLanguage: string,
): Promise<JsonText | Refusal> {
  if (!config.media.urlPreviews)
    return refuse('M_UNRECOGNIZED', 'URL previews are switched off on this server.');
  const language = acceptLanguage.length > LANGUAGE_LENGTH_MAX ? '' : acceptLanguage;
  const found = await previews.ask('previews.find', { url, language }, { deadlineMs: PREVIEW_DEADLINE_MS });
  return isRefusal(found) ? found : new JsonText(found.answer);
}
