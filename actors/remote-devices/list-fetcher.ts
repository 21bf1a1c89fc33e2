import { LRUCache } from 'lru-cache';
import { readSharingUsers } from '../../db/rooms/sharing-reader.ts';
import { noteUnannounced, storeList } from '../../db/remote-devices/writer.ts';
import { parseDeviceList, type RemoteList } from '../../src/federation/queries/device-list.ts';
import { type KnownList, readKnownLists } from '../../src/federation/queries/known-lists.ts';
import { failureOf } from '../../src/federation/queries/failure.ts';
import { type BackoffPolicy, backoffMs } from '../../src/kit/backoff.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { domainOf } from '../../src/matrix/identifiers/domain.ts';
import type { TroupeContext } from '../environment.ts';
import { createTurns, type Turns } from '../turns.ts';
import type { Lanes } from './lanes.ts';
import type { ListStore } from './list-store.ts';
import type { RemoteDevices } from './protocol.ts';

/** Lists that are asked for at the same time of one server, and over all servers. */
export const FETCHES_PER_SERVER_MAX = 8;
const FETCHES_MAX = 64;
/** Lists that wait for their turn; beyond it they cannot be had now. */
export const FETCHES_WAITING_MAX = 20_000;
/** How long after a failure a user's list is not asked for again. */
export const FETCH_BACKOFF: BackoffPolicy = { initialMs: 2_000, factor: 2, maxMs: 600_000 };
/** Users whose last failure is remembered. */
const FAILURES_MAX = 10_000;
/** How long a server may take for one list, in milliseconds. */
const FETCH_TIMEOUT_MS = 30_000;

/** What became of asking for a list. `devices`: what is known now; null for a user whom the server does not know. */
export type Refreshed =
  | { readonly kind: 'fetched'; readonly devices: RemoteDevices | null }
  | { readonly kind: 'failed'; readonly failure: JsonObject };

/** Asks other servers for the device lists of their users. */
export interface ListFetcher {
  /** Asks for a whole list and stores it; one request at a time for each user, whoever asks. */
  refresh(userId: string): Promise<Refreshed>;
  /** An update came: a list that is being asked for may be from before it. */
  noteUpdate(userId: string, streamId: number): void;
}

interface Flight {
  newest: number;
  readonly result: Promise<Refreshed>;
}

interface Attempt {
  readonly failures: number;
  /** Monotonic milliseconds. */
  readonly notBeforeMs: number;
}

const ASKED_LATELY: Refreshed = {
  kind: 'failed',
  failure: { errcode: 'M_UNKNOWN', error: 'The server could not say lately.' },
};
const TOO_MANY: Refreshed = {
  kind: 'failed',
  failure: { errcode: 'M_UNKNOWN', error: 'Too many servers are being asked.' },
};

function textOf(key: JsonObject | null): string | null {
  return key === null ? null : JSON.stringify(key);
}

/** What a new list says differently: devices, or whether there are other cross-signing keys. */
function changesOf(known: KnownList, list: RemoteList): string[] {
  const ids = new Set([...Object.keys(known.deviceKeys), ...list.devices.keys()]);
  const changed = [...ids].filter(
    (id) => JSON.stringify(known.deviceKeys[id]) !== JSON.stringify(list.devices.get(id)),
  );
  const hasOtherKeys =
    textOf(known.masterKey) !== textOf(list.masterKey) ||
    textOf(known.selfSigningKey) !== textOf(list.selfSigningKey);
  return hasOtherKeys ? [...changed, 'master'] : changed;
}

function devicesOf(userId: string, { devices, masterKey, selfSigningKey }: RemoteList): RemoteDevices {
  return { userId, deviceKeys: Object.fromEntries(devices), masterKey, selfSigningKey };
}

/** Limits how much is asked of each server at the same time, and of all of them. */
function createServerTurns(): {
  waiting(): number;
  run<T>(server: string, work: () => Promise<T>): Promise<T>;
} {
  const all = createTurns(FETCHES_MAX);
  const byServer = new Map<string, { readonly turns: Turns; users: number }>();
  let inside = 0;
  return {
    waiting: () => inside,
    async run(server, work) {
      const entry = byServer.get(server) ?? { turns: createTurns(FETCHES_PER_SERVER_MAX), users: 0 };
      byServer.set(server, entry);
      entry.users += 1;
      inside += 1;
      try {
        return await entry.turns.run(() => all.run(work));
      } finally {
        inside -= 1;
        entry.users -= 1;
        if (entry.users === 0) byServer.delete(server);
      }
    },
  };
}

/** Makes what asks for lists; what it gets is stored for users who share a room with somebody here. */
export function createListFetcher(context: TroupeContext, store: ListStore, lanes: Lanes): ListFetcher {
  const { clock, random, log, env } = context;
  const turns = createServerTurns();
  const attempts = new LRUCache<string, Attempt>({ max: FAILURES_MAX });
  const underWay = new Map<string, Flight>();

  async function keep(userId: string, list: RemoteList): Promise<void> {
    const sharing = await readSharingUsers(env.db, [userId]);
    if (!sharing.has(userId)) return;
    const [known] = await readKnownLists(env.db, [userId]);
    const { streamId, devices, masterKey, selfSigningKey } = list;
    const steps = storeList({
      userId,
      streamId,
      isStale: streamId < (underWay.get(userId)?.newest ?? 0),
      masterKey: textOf(masterKey),
      selfSigningKey: textOf(selfSigningKey),
      devices: [...devices].map(([deviceId, keys]) => ({ deviceId, keys: JSON.stringify(keys) })),
    });
    const changed = known === undefined ? [] : changesOf(known, list);
    if (await store.write([...steps, ...noteUnannounced(userId, changed)]))
      await store.announce(userId, changed);
  }

  function noteFailure(userId: string): void {
    const failures = (attempts.get(userId)?.failures ?? 0) + 1;
    const notBeforeMs = clock.monotonic() + backoffMs(FETCH_BACKOFF, failures, random);
    attempts.set(userId, { failures, notBeforeMs });
  }

  async function fetch(userId: string): Promise<Refreshed> {
    const destination = domainOf(userId) ?? '';
    const answer = await env.federationClient.request({
      destination,
      method: 'GET',
      path: `/_matrix/federation/v1/user/devices/${encodeURIComponent(userId)}`,
      timeoutMs: FETCH_TIMEOUT_MS,
    });
    if (answer.kind === 'refused' && answer.status === 404) {
      noteFailure(userId);
      return { kind: 'fetched', devices: null };
    }
    const list = answer.kind === 'answered' ? parseDeviceList(answer.body, userId) : undefined;
    if (list === undefined) {
      noteFailure(userId);
      log.info('the devices of a remote user cannot be had now', { userId, answer: answer.kind });
      return { kind: 'failed', failure: failureOf(answer) };
    }
    attempts.delete(userId);
    await lanes.run(userId, () => keep(userId, list));
    return { kind: 'fetched', devices: devicesOf(userId, list) };
  }

  function begin(userId: string): Promise<Refreshed> {
    const attempt = attempts.get(userId);
    if (attempt !== undefined && clock.monotonic() < attempt.notBeforeMs)
      return Promise.resolve(ASKED_LATELY);
    if (turns.waiting() >= FETCHES_WAITING_MAX) return Promise.resolve(TOO_MANY);
    return turns.run(domainOf(userId) ?? '', () => fetch(userId));
  }

  return {
    refresh(userId) {
      const running = underWay.get(userId);
      if (running !== undefined) return running.result;
      const result = begin(userId).finally(() => underWay.delete(userId));
      underWay.set(userId, { newest: 0, result });
      return result;
    },
    noteUpdate(userId, streamId) {
      const flight = underWay.get(userId);
      if (flight !== undefined) flight.newest = Math.max(flight.newest, streamId);
    },
  };
}
