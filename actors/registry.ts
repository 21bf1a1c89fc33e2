import type { Environment } from './environment.ts';
import type { AnyActorDefinition } from './kit/actor.ts';
import type { ActorMap, ActorProtocols } from './protocols.ts';

type Definition = AnyActorDefinition<ActorMap, Environment>;

/** Imports an actor where it is hosted, so that a thread loads only what lives on it. */
type Load = (thread: string) => Promise<Definition>;

/** Every actor that exists once, but the inspector: that one is made where the supervisor is. */
const SINGLE: Readonly<Record<Exclude<keyof ActorProtocols, 'inspector'>, Load>> = {
  'account-data': async () => (await import('./account-data/actor.ts')).accountDataActor,
  accounts: async () => (await import('./accounts/actor.ts')).accountsActor,
  caches: async () => (await import('./caches/actor.ts')).cachesActor,
  committer: async () => (await import('./committer/actor.ts')).committerActor,
  control: async () => (await import('./control/actor.ts')).controlActor,
  'delayed-events': async () => (await import('./delayed-events/actor.ts')).delayedEventsActor,
  'device-lists': async () => (await import('./device-lists/actor.ts')).deviceListsActor,
  federation: async () => (await import('./federation/actor.ts')).federationActor,
  'federation-receiver': async () => (await import('./federation-receiver/actor.ts')).federationReceiverActor,
  'federation-sender': async () => (await import('./federation-sender/actor.ts')).federationSenderActor,
  'key-backup': async () => (await import('./key-backup/actor.ts')).keyBackupActor,
  keys: async () => (await import('./keys/actor.ts')).keysActor,
  media: async () => (await import('./media/actor.ts')).mediaActor,
  'policy-servers': async () => (await import('./policy-servers/actor.ts')).policyServersActor,
  pool: async () => (await import('./pool/actor.ts')).poolActor,
  presence: async () => (await import('./presence/actor.ts')).presenceActor,
  previews: async () => (await import('./previews/actor.ts')).previewsActor,
  push: async () => (await import('./push/actor.ts')).pushActor,
  'push-sender': async () => (await import('./push-sender/actor.ts')).pushSenderActor,
  'push-rules': async () => (await import('./push-rules/actor.ts')).pushRulesActor,
  receipts: async () => (await import('./receipts/actor.ts')).receiptsActor,
  'remote-devices': async () => (await import('./remote-devices/actor.ts')).remoteDevicesActor,
  'remote-rooms': async () => (await import('./remote-rooms/actor.ts')).remoteRoomsActor,
  reports: async () => (await import('./reports/actor.ts')).reportsActor,
  rooms: async () => (await import('./rooms/actor.ts')).roomsActor,
  search: async () => (await import('./search/actor.ts')).searchActor,
  'server-keys': async () => (await import('./server-keys/actor.ts')).serverKeysActor,
  'server-notices': async () => (await import('./server-notices/actor.ts')).serverNoticesActor,
  'thread-subscriptions': async () =>
    (await import('./thread-subscriptions/actor.ts')).threadSubscriptionsActor,
  'to-device': async () => (await import('./to-device/actor.ts')).toDeviceActor,
  'user-directory': async () => (await import('./user-directory/actor.ts')).userDirectoryActor,
  typing: async () => (await import('./typing/actor.ts')).typingActor,
};

/** The endpoints, some hundreds of files, are read while the store comes up: the actor itself is started last of all. */
async function loadHttpActor(thread: string): Promise<Definition> {
  const [{ httpActor }, { loadEndpoints }] = await Promise.all([
    import('./http/actor.ts'),
    import('../src/http/kit/load-endpoints.ts'),
  ]);
  const endpoints = await loadEndpoints();
  return httpActor(thread, () => Promise.resolve(endpoints));
}

/** Every actor that exists once per thread, named `<actor>@<thread>`. */
const PER_THREAD: Readonly<Record<string, Load>> = {
  http: loadHttpActor,
  views: async (thread) => (await import('./views/actor.ts')).defineViewsActor(thread),
};

/**
 * Loads the definition of an actor.
 *
 * @param name as the tree has it: `rooms`, `views@gateway-1`
 * @throws Error when there is no such actor
 */
export async function loadActor(name: string): Promise<Definition> {
  const [kind = '', thread] = name.split('@');
  const load = thread === undefined ? SINGLE[kind as keyof typeof SINGLE] : PER_THREAD[kind];
  if (load === undefined) throw new Error(`there is no actor ${name}`);
  return load(thread ?? '');
}

/** Loads the definitions of all actors of one thread. */
export async function loadActors(names: readonly string[]): Promise<(name: string) => Definition> {
  const loaded = new Map(
    await Promise.all(names.map(async (name) => [name, await loadActor(name)] as const)),
  );
  return (name) => {
    const definition = loaded.get(name);
    if (definition === undefined) throw new Error(`${name} was not loaded on this thread`);
    return definition;
  };
}
