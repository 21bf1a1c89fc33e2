import { readSharingUsers } from '../../db/rooms/sharing-reader.ts';
import { failureOf } from '../../src/federation/queries/failure.ts';
import { readKnownLists } from '../../src/federation/queries/known-lists.ts';
import { parseQueriedKeys } from '../../src/federation/queries/queried-keys.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { domainOf } from '../../src/matrix/identifiers/domain.ts';
import { parseUserId } from '../../src/matrix/identifiers/user-id.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import type { ListFetcher } from './list-fetcher.ts';
import type { RemoteDevices, RemoteDevicesProtocol } from './protocol.ts';

type Find = InputOf<RemoteDevicesProtocol, 'remote-devices.find-devices'>;
type Found = OutputOf<RemoteDevicesProtocol, 'remote-devices.find-devices'>;

/** Users of whom one request to another server asks. */
export const USERS_PER_QUERY_MAX = 250;
/** Users whose lists are read with one statement. */
const USERS_PER_READ = 200;

const TOO_LATE: JsonObject = { errcode: 'M_UNKNOWN', error: 'The server did not answer in time.' };

/** What is gathered while servers answer. */
interface Gathering {
  readonly users: Map<string, RemoteDevices>;
  readonly failures: Map<string, JsonObject>;
  /** Servers that have not said everything, with how many questions are open. */
  readonly open: Map<string, number>;
}

function chunksOf<Item>(items: readonly Item[], size: number): (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

function serverOf(userId: string): string {
  return domainOf(userId) ?? '';
}

async function track(gathering: Gathering, server: string, work: () => Promise<void>): Promise<void> {
  const { open } = gathering;
  open.set(server, (open.get(server) ?? 0) + 1);
  await work();
  const left = (open.get(server) ?? 1) - 1;
  if (left === 0) open.delete(server);
  else open.set(server, left);
}

/** Somebody whose list is kept from now on. */
async function refreshOne(fetcher: ListFetcher, gathering: Gathering, userId: string): Promise<void> {
  const refreshed = await fetcher.refresh(userId);
  if (refreshed.kind === 'failed') gathering.failures.set(serverOf(userId), refreshed.failure);
  else if (refreshed.devices === null) gathering.users.delete(userId);
  else gathering.users.set(userId, refreshed.devices);
}

/** Users who share no room with anybody here: their server tells us of no changes, so that nothing of them is kept. */
async function askFor(
  context: TroupeContext,
  gathering: Gathering,
  server: string,
  { userIds, timeoutMs }: Find,
): Promise<void> {
  const answer = await context.env.federationClient.request({
    destination: server,
    method: 'POST',
    path: '/_matrix/federation/v1/user/keys/query',
    body: { device_keys: Object.fromEntries(userIds.map((userId) => [userId, []])) },
    timeoutMs,
  });
  if (answer.kind !== 'answered') {
    gathering.failures.set(server, failureOf(answer));
    return;
  }
  for (const found of parseQueriedKeys(answer.body, userIds)) gathering.users.set(found.userId, found);
}

async function readSharing(context: TroupeContext, userIds: readonly string[]): Promise<ReadonlySet<string>> {
  const sharing = new Set<string>();
  for (const chunk of chunksOf(userIds, USERS_PER_READ))
    for (const userId of await readSharingUsers(context.env.db, chunk)) sharing.add(userId);
  return sharing;
}

/** Resolves when the work is done or the time is over, whichever comes first; the work goes on. */
async function within(context: TroupeContext, timeoutMs: number, work: Promise<unknown>): Promise<void> {
  const { clock } = context;
  await new Promise<void>((resolve, reject) => {
    const timer = clock.after(timeoutMs, resolve);
    work.then(() => resolve(), reject).finally(() => clock.cancel(timer));
  });
}

/** Handles `remote-devices.find-devices`. */
export async function findDevices(
  context: TroupeContext,
  fetcher: ListFetcher,
  { userIds, timeoutMs }: Find,
): Promise<Found> {
  const own = context.env.config.server.name;
  const remote = [...new Set(userIds)].filter(
    (userId) => parseUserId(userId) !== undefined && domainOf(userId) !== own,
  );
  const gathering: Gathering = { users: new Map(), failures: new Map(), open: new Map() };
  const fresh = new Set<string>();
  for (const { streamId: _, isStale, ...known } of await readKnownLists(context.env.db, remote)) {
    gathering.users.set(known.userId, known);
    if (!isStale) fresh.add(known.userId);
  }
  const wanted = remote.filter((userId) => !fresh.has(userId));
  const sharing = await readSharing(context, wanted);
  const strangers = Map.groupBy(
    wanted.filter((userId) => !sharing.has(userId)),
    serverOf,
  );
  const work = [
    ...[...sharing].map((userId) =>
      track(gathering, serverOf(userId), () => refreshOne(fetcher, gathering, userId)),
    ),
    ...[...strangers].flatMap(([server, users]) =>
      chunksOf(users, USERS_PER_QUERY_MAX).map((chunk) =>
        track(gathering, server, () => askFor(context, gathering, server, { userIds: chunk, timeoutMs })),
      ),
    ),
  ];
  if (work.length > 0) await within(context, timeoutMs, Promise.all(work));
  const failures = [...gathering.failures, ...[...gathering.open.keys()].map((server) => [server, TOO_LATE])];
  return {
    users: [...gathering.users.values()],
    failures: Object.fromEntries(failures) as Found['failures'],
  };
}
