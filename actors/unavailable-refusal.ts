import type { StorageFault, WriteOutcome } from '../db/kit/write-set.ts';
import type { Config } from '../src/config/config.ts';
import { type Refusal, refuse } from '../src/matrix/refusal.ts';

const SENTENCE_BY_FAULT: Readonly<Record<StorageFault, string>> = {
  'disk-full': 'The disk of this server is full: nothing can be stored until there is room again',
  'read-only': 'The storage of this server is read-only: nothing can be stored now',
  'input-output': 'The storage of this server reports errors: nothing can be stored now',
  busy: 'The storage of this server is busy: try again shortly',
};

/** When a client may try again while storage is merely busy, in milliseconds. */
export const BUSY_RETRY_AFTER_MS = 1_000;

/**
 * What a client is told while storage cannot be written. Reads go on. `admin_contact` is there whenever one is configured.
 * Client-Server API v1.19, "Common error codes", `M_RESOURCE_LIMIT_EXCEEDED`.
 */
export function unavailableRefusal(
  outcome: Extract<WriteOutcome, { readonly kind: 'unavailable' }>,
  config: Pick<Config, 'server'>,
): Refusal {
  const { adminContact } = config.server;
  return refuse('M_RESOURCE_LIMIT_EXCEEDED', SENTENCE_BY_FAULT[outcome.fault], {
    status: 503,
    extra: {
      admin_contact: adminContact,
      ...(outcome.fault === 'busy' ? { retry_after_ms: BUSY_RETRY_AFTER_MS } : {}),
    },
  });
}
