import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { accountDataActor } from '../../../actors/account-data/actor.ts';
import { accountsActor } from '../../../actors/accounts/actor.ts';
import type { AccountsProtocol } from '../../../actors/accounts/protocol.ts';
import { cachesActor } from '../../../actors/caches/actor.ts';
import { committerActor } from '../../../actors/committer/actor.ts';
import { deviceListsActor } from '../../../actors/device-lists/actor.ts';
import { defineActor, type Environment } from '../../../actors/environment.ts';
import type { InputOf, OutputOf } from '../../../actors/kit/protocol.ts';
import type { ActorRef } from '../../../actors/kit/ref.ts';
import { keyBackupActor } from '../../../actors/key-backup/actor.ts';
import { keysActor } from '../../../actors/keys/actor.ts';
import { pushRulesActor } from '../../../actors/push-rules/actor.ts';
import { reportsActor } from '../../../actors/reports/actor.ts';
import { threadSubscriptionsActor } from '../../../actors/thread-subscriptions/actor.ts';
import { poolActor } from '../../../actors/pool/actor.ts';
import type { ActorMap } from '../../../actors/protocols.ts';
import type { DelayedEventsProtocol } from '../../../actors/delayed-events/protocol.ts';
import type { FederationSenderProtocol } from '../../../actors/federation-sender/protocol.ts';
import type { PushProtocol } from '../../../actors/push/protocol.ts';
import type { RoomsProtocol } from '../../../actors/rooms/protocol.ts';
import { toDeviceActor } from '../../../actors/to-device/actor.ts';
import { defineViewsActor } from '../../../actors/views/actor.ts';
import type { Config } from '../../../src/config/config.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import type { LogFields, Logger } from '../../../src/kit/logger.ts';
import { ROOM_VERSIONS } from '../../../src/matrix/rooms/room-versions.ts';
import { createThreadCaches } from '../../../src/streams/cache-store.ts';
import type { ThreadCaches } from '../../../src/streams/cache.ts';
import { refuse } from '../../../src/matrix/refusal.ts';
import type { Query } from '../../../db/kit/query.ts';
import { cachesStream } from '../../../src/streams/caches-stream.ts';
import { keysStream } from '../../../src/streams/keys-stream.ts';
import { deviceListsStream } from '../../../src/streams/device-lists-stream.ts';
import { createThreadViews } from '../../../src/streams/thread-views.ts';
import type { ThreadViews } from '../../../src/streams/view.ts';
import { type ActorHost, createActorHost } from '../../support/actor-host.ts';
import { createTestDatabase, silentMetrics, type TestDatabase } from '../../support/database.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { NOBODY_OUT_THERE } from '../../support/nobody-out-there.ts';

type ChangeMembership = InputOf<RoomsProtocol, 'rooms.change-membership'>;
type UpdateProfile = InputOf<RoomsProtocol, 'rooms.update-profile'>;

/** Everything that was logged, as one text. */
export interface LogText {
  readonly log: Logger;
  text(): string;
}

function collectLog(): LogText {
  const lines: string[] = [];
  const write = (message: string, fields?: LogFields): void => {
    lines.push(
      `${message} ${JSON.stringify(fields, (_key, value: unknown) => (value instanceof Error ? value.stack : value))}`,
    );
  };
  const log: Logger = {
    level: 'debug',
    debug: write,
    info: write,
    warn: write,
    error: write,
    child: () => log,
  };
  return { log, text: () => lines.join('\n') };
}

/** The built-in configuration, with changes. */
export function testConfig(path: string, environment: Readonly<Record<string, string>> = {}): Config {
  return loadConfig({
    defaults: { file: 'config.toml', text: readFileSync('config.toml', 'utf8') },
    environment: {
      TROUPE_SERVER_NAME: 'example.org',
      TROUPE_DATA_PATH: path,
      TROUPE_RATE_LIMITS_ENABLED: 'false',
      ...environment,
    },
    roomVersions: ROOM_VERSIONS.map(({ id }) => id),
    cores: availableParallelism(),
  });
}

/** The accounts actor among the real committer, caches, device lists, views and pool; the rooms and push actors alone are doubles. */
export interface AccountsWorld {
  readonly host: ActorHost<ActorMap>;
  readonly accounts: ActorRef<AccountsProtocol>;
  readonly database: TestDatabase;
  readonly clock: FakeClock;
  readonly config: Config;
  readonly caches: ThreadCaches;
  readonly streams: ThreadViews;
  readonly logged: LogText;
  /** What the rooms actor was asked. */
  readonly profileUpdates: readonly UpdateProfile[];
  /** The memberships that it was asked to change, and what it says to the next one: that there are no rooms, at first. */
  readonly leaves: readonly ChangeMembership[];
  onLeave: (
    change: ChangeMembership,
  ) =>
    | OutputOf<RoomsProtocol, 'rooms.change-membership'>
    | Promise<OutputOf<RoomsProtocol, 'rooms.change-membership'>>;
  close(): Promise<void>;
}

/** Starts the world on a database of its own. Close it at the end of the test. */
export async function createAccountsWorld(
  environment: Readonly<Record<string, string>> = {},
  queries: readonly Query[] = [],
): Promise<AccountsWorld> {
  const database = await createTestDatabase({ queries });
  const { db } = database;
  const clock = createFakeClock();
  const config = testConfig(database.folder, environment);
  const logged = collectLog();
  const metrics = silentMetrics;
  const caches = createThreadCaches({ db, metrics });
  const followed = [cachesStream, deviceListsStream, keysStream];
  const views = { subscriber: 'views@main', db, caches, clock, metrics, log: logged.log, streams: followed };
  const streams = createThreadViews(views);
  const profileUpdates: UpdateProfile[] = [];
  const leaves: ChangeMembership[] = [];
  const rooms = defineActor<Pick<RoomsProtocol, 'rooms.update-profile' | 'rooms.change-membership'>>({
    name: 'rooms',
    mailbox: { limit: 100, whenFull: 'refuse' },
    order: { kind: 'serial' },
    start: () => ({
      handlers: {
        'rooms.update-profile'(update) {
          profileUpdates.push(update);
          return { kind: 'updated', rooms: 0, position: 0 };
        },
        async 'rooms.change-membership'(change) {
          leaves.push(change);
          return await answers.leave(change);
        },
      },
    }),
  });
  const push = defineActor<Pick<PushProtocol, 'push.sweep-pushers'>>({
    name: 'push',
    mailbox: { limit: 100, whenFull: 'refuse' },
    order: { kind: 'serial' },
    start: () => ({ handlers: { 'push.sweep-pushers': () => ({ kind: 'stored' }) } }),
  });
  const delayedEvents = defineActor<Pick<DelayedEventsProtocol, 'delayed-events.forget-user'>>({
    name: 'delayed-events',
    mailbox: { limit: 100, whenFull: 'refuse' },
    order: { kind: 'serial' },
    start: () => ({
      handlers: { 'delayed-events.forget-user': () => ({ kind: 'forgotten', isMore: false }) },
    }),
  });
  const sender = defineActor<Pick<FederationSenderProtocol, 'federation-sender.note-stored'>>({
    name: 'federation-sender',
    mailbox: { limit: 100, whenFull: 'refuse' },
    order: { kind: 'serial' },
    start: () => ({ handlers: { 'federation-sender.note-stored': () => undefined } }),
  });
  const answers: { leave: AccountsWorld['onLeave'] } = {
    leave: () => refuse('M_FORBIDDEN', 'no rooms here'),
  };
  const env: Environment = {
    config,
    db,
    streams,
    caches,
    serverKey: { keyId: 'ed25519:test', seed: new Uint8Array(32) },
    federationClient: NOBODY_OUT_THERE,
  };
  const host = await createActorHost<ActorMap, Environment>({
    transport: 'same-thread',
    actors: [
      committerActor,
      cachesActor,
      deviceListsActor,
      delayedEvents,
      keyBackupActor,
      threadSubscriptionsActor,
      toDeviceActor,
      keysActor,
      rooms,
      push,
      sender,
      accountDataActor,
      pushRulesActor,
      poolActor,
      accountsActor,
      reportsActor,
      defineViewsActor('main'),
    ],
    env,
    clock,
    log: logged.log,
  });
  await host.idle();
  return {
    host,
    accounts: host.ref('accounts'),
    database,
    clock,
    config,
    caches,
    streams,
    logged,
    profileUpdates,
    leaves,
    get onLeave() {
      return answers.leave;
    },
    set onLeave(leave) {
      answers.leave = leave;
    },
    async close() {
      await host.stop();
      streams.close();
      database.close();
    },
  };
}
