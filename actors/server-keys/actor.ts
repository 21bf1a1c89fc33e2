import { addSigningKey, makeSigningKey } from '../../db/identity/identity.ts';
import { findKeyDocument } from '../../db/server-keys/reader.ts';
import type { KeysWanted } from '../../src/federation/trust/ask-for-keys.ts';
import { wantedKeysOf } from '../../src/federation/trust/check-event.ts';
import { checkEvents, type EventCheck } from '../../src/federation/trust/check-events.ts';
import { ownKeyDocument, type PublishedKey } from '../../src/federation/trust/key-document.ts';
import type { KeysOfServer } from '../../src/federation/trust/known-keys.ts';
import { type JsonObject, nestsBeyond } from '../../src/kit/json.ts';
import { JSON_NESTING_MAX } from '../../src/matrix/events/canonical-json.ts';
import { encodeBase64 } from '../../src/matrix/events/unpadded-base64.ts';
import { isRefusal, refuse } from '../../src/matrix/refusal.ts';
import { findRoomVersion, type RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { signJson } from '../../src/matrix/signing.ts';
import { commit } from '../commit.ts';
import { type TroupeContext, defineActor } from '../environment.ts';
import type { OutputOf, InputOf } from '../kit/protocol.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import { type KeyBook, openKeyBook } from './key-book.ts';
import {
  createKeyFetcher,
  type FetchReason,
  type KeyFetcher,
  NOTARIES_FIRST_SERVERS_MIN,
} from './key-fetcher.ts';
import type { FoundKey, ServerKeysProtocol, WantedDocument, WantedKey } from './protocol.ts';

const MAILBOX_LIMIT = 10_000;
/** Up to so many events are checked here: handing them to another thread would cost more than it saves. */
export const CHECKED_HERE_MAX = 8;

/** So many events are one task of the pool: enough to be worth the way there, few enough that others get their turn. */
export const EVENTS_PER_TASK_MAX = 250;
/** Tasks of one check that are with the pool at the same time. */
const TASKS_AT_ONCE_MAX = 4;
/** How long one of them may wait and run, in milliseconds. */
const POOL_DEADLINE_MS = 120_000;
/** For how long a document about our keys is handed out before it is written anew, in milliseconds: a part of what it is good for. */
export const OWN_DOCUMENT_KEPT_MS = 60 * 60 * 1_000;

const TOO_DEEP = {
  kind: 'invalid',
  eventId: null,
  reason: `it nests beyond ${JSON_NESTING_MAX} levels`,
} as const;

type CheckOutcome = OutputOf<ServerKeysProtocol, 'server-keys.check-events'>;

/** The actor's parts. */
interface Trust {
  readonly context: TroupeContext;
  readonly book: KeyBook;
  readonly fetcher: KeyFetcher;
  readonly own: OwnDocument;
}

/** What this server publishes. */
interface OwnDocument {
  read(): Promise<JsonObject>;
  /** The keys have changed. */
  forget(): void;
}

function createOwnDocument({ env, clock }: TroupeContext, book: KeyBook): OwnDocument {
  let kept: { readonly untilMs: number; readonly document: Promise<JsonObject> } | null = null;
  const write = async (): Promise<JsonObject> => {
    const [keys, signers] = await Promise.all([book.ownKeys(), book.ownSigners()]);
    return ownKeyDocument(env.config.server.name, keys, signers, clock.now());
  };
  return {
    read() {
      const now = clock.monotonic();
      if (kept === null || now >= kept.untilMs)
        kept = { untilMs: now + OWN_DOCUMENT_KEPT_MS, document: write() };
      return kept.document;
    },
    forget: () => void (kept = null),
  };
}

function isGoodFor(key: PublishedKey | undefined, validAtTs: number): boolean {
  // What an old key is good for does not change any more: asking again would tell nothing new.
  return key !== undefined && (key.isOld || key.validUntilTs >= validAtTs);
}

function isLacking(keys: KeysOfServer, wanted: KeysWanted): boolean {
  return [...wanted.keys].some(([keyId, validAtTs]) => !isGoodFor(keys.get(keyId), validAtTs));
}

/** By server, each key at the latest time that is asked for. */
function groupByServer(wanted: readonly WantedKey[]): readonly KeysWanted[] {
  const byServer = new Map<string, Map<string, number>>();
  for (const { serverName, keyId, validAtTs } of wanted) {
    const keys = byServer.get(serverName) ?? new Map<string, number>();
    keys.set(keyId, Math.max(validAtTs, keys.get(keyId) ?? 0));
    byServer.set(serverName, keys);
  }
  return [...byServer].map(([serverName, keys]) => ({ serverName, keys }));
}

async function lackingOf({ context, book }: Trust, wanted: readonly KeysWanted[]): Promise<KeysWanted[]> {
  const own = context.env.config.server.name;
  const lacking: KeysWanted[] = [];
  for (const one of wanted)
    if (one.serverName !== own && isLacking(await book.keysOf(one.serverName), one)) lacking.push(one);
  return lacking;
}

async function findKeys(
  trust: Trust,
  wanted: readonly WantedKey[],
  reason: FetchReason,
): Promise<FoundKey[]> {
  const { book, fetcher } = trust;
  const byServer = groupByServer(wanted);
  book.noteUse(
    byServer.map(({ serverName }) => serverName),
    reason === 'events',
  );
  let lacking = await lackingOf(trust, byServer);
  if (lacking.length >= NOTARIES_FIRST_SERVERS_MIN) {
    await fetcher.fetchFromNotaries(lacking);
    lacking = await lackingOf(trust, lacking);
  }
  await Promise.all(lacking.map((one) => fetcher.fetch(one, reason)));
  const found: FoundKey[] = [];
  for (const { serverName, keys } of byServer) {
    const known = await book.keysOf(serverName);
    for (const keyId of keys.keys()) {
      const key = known.get(keyId);
      if (key === undefined) continue;
      const { publicKey, validUntilTs } = key;
      found.push({ serverName, keyId, publicKey: encodeBase64(publicKey), validUntilTs });
    }
  }
  return found;
}

/** Has a check done on the pool, in parts. */
async function checkOnPool({ context }: Trust, check: EventCheck): Promise<CheckOutcome> {
  const { events } = check;
  const outcomes: CheckOutcome[] = [];
  const parts = Math.ceil(events.length / EVENTS_PER_TASK_MAX);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < parts) {
      const part = next;
      next += 1;
      const from = part * EVENTS_PER_TASK_MAX;
      const slice = { ...check, events: events.slice(from, from + EVENTS_PER_TASK_MAX) };
      const outcome = await context
        .ref('pool')
        .ask('pool.check-events', slice, { deadlineMs: POOL_DEADLINE_MS });
      outcomes[part] = outcome;
      if (isRefusal(outcome)) next = parts;
    }
  };
  await Promise.all(Array.from({ length: TASKS_AT_ONCE_MAX }, lane));
  const refused = outcomes.find((outcome) => isRefusal(outcome));
  return (
    refused ?? {
      kind: 'checked',
      events: outcomes.flatMap((outcome) => (isRefusal(outcome) ? [] : outcome.events)),
    }
  );
}

async function checkWithKeys(
  trust: Trust,
  version: RoomVersion,
  events: readonly JsonObject[],
): Promise<CheckOutcome> {
  const wanted = events.flatMap((event) => wantedKeysOf(version, event));
  const keys = await findKeys(trust, wanted, 'events');
  const check = { roomVersion: version.id, events, keys, nowTs: trust.context.clock.now() };
  if (events.length <= CHECKED_HERE_MAX) return { kind: 'checked', events: checkEvents(check) };
  // What nests too deep could not even go to another thread, and would keep the others from it.
  const sound = events.filter((event) => !nestsBeyond(event, JSON_NESTING_MAX));
  const checked = await checkOnPool(trust, { ...check, events: sound });
  if (isRefusal(checked) || sound.length === events.length) return checked;
  const outcomes = new Map(sound.map((event, index) => [event, checked.events[index]]));
  return { kind: 'checked', events: events.map((event) => outcomes.get(event) ?? TOO_DEEP) };
}

/** What a server publishes, with our signature beside its own; null when it cannot be had. */
async function documentFor(
  { context, book, fetcher, own }: Trust,
  wanted: WantedDocument,
): Promise<JsonObject | null> {
  const { db, config, serverKey } = context.env;
  const { serverName, keyIds, validUntilTs } = wanted;
  if (serverName === config.server.name) return own.read();
  let stored = await findKeyDocument(db, serverName);
  const keys = await book.keysOf(serverName);
  // Half of its time: so that nobody gets what is about to end.
  const isFresh =
    stored !== undefined &&
    context.clock.now() < stored.fetchedTs + Math.max(0, stored.validUntilTs - stored.fetchedTs) / 2;
  const isEnough = isFresh && stored !== undefined && stored.validUntilTs >= validUntilTs;
  if (!isEnough || keyIds.some((keyId) => !keys.has(keyId))) {
    const asked = new Map(keyIds.map((keyId) => [keyId, validUntilTs]));
    await fetcher.fetch({ serverName, keys: asked }, 'others');
    stored = await findKeyDocument(db, serverName);
  }
  if (stored === undefined) return null;
  return signJson(JSON.parse(stored.document) as JsonObject, config.server.name, serverKey, 'lenient');
}

/** Knows the signing keys of servers, and what their signatures are worth. */
export const serverKeysActor = defineActor<ServerKeysProtocol>({
  name: 'server-keys',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
  start(context) {
    const book = openKeyBook(context);
    const own = createOwnDocument(context, book);
    const trust: Trust = { context, book, fetcher: createKeyFetcher(context, book), own };
    return {
      handlers: {
        async 'server-keys.find-keys'({ wanted, isCalling }) {
          return { found: await findKeys(trust, wanted, isCalling === true ? 'caller' : 'events') };
        },
        'server-keys.check-events'({
          roomVersion,
          events,
        }: InputOf<ServerKeysProtocol, 'server-keys.check-events'>): Promise<CheckOutcome> | CheckOutcome {
          const version = findRoomVersion(roomVersion);
          return version === undefined
            ? refuse('M_UNSUPPORTED_ROOM_VERSION', `room version "${roomVersion}" is not known here`)
            : checkWithKeys(trust, version, events);
        },
        'server-keys.read-own': () => own.read(),
        async 'server-keys.read-documents'({ wanted }) {
          const documents = await Promise.all(wanted.map((one) => documentFor(trust, one)));
          return { documents: documents.filter((document) => document !== null) };
        },
        async 'server-keys.add-own-key'() {
          const key = makeSigningKey(context.random);
          const outcome = await commit(context, addSigningKey(key, context.clock.now()));
          if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
          if (isRefusal(outcome)) throw new Error('a signing key has no guard');
          own.forget();
          context.log.info('a signing key was added', { keyId: key.keyId });
          return { kind: 'added', keyId: key.keyId };
        },
      },
    };
  },
});
