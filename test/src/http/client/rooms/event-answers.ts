import { loadEndpoints } from '../../../../../src/http/kit/load-endpoints.ts';
import { pathOf } from '../../../../support/http-client.ts';
import type { Person } from '../../../sync/sync-world.ts';

const CLIENT = '/_matrix/client/v3';

/**
 * Every endpoint for clients that answers with events, or with what is made of them. A new one that reads has to be named here or in
 * {@link WITHOUT_EVENTS}.
 */
export const WITH_EVENTS: ReadonlySet<string> = new Set([
  'GET /_matrix/client/v3/events',
  'GET /_matrix/client/v3/events/{eventId}',
  'GET /_matrix/client/v3/initialSync',
  'GET /_matrix/client/v3/rooms/{roomId}/initialSync',
  'GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event',
  'GET /_matrix/client/v1/rooms/{roomId}/hierarchy',
  'GET /_matrix/client/v3/sync',
  'GET /_matrix/client/v3/joined_rooms',
  'GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}',
  'GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}',
  'GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}',
  'GET /_matrix/client/v1/rooms/{roomId}/threads',
  'POST /_matrix/client/unstable/event_relationships',
  'POST /_matrix/client/v3/search',
  'GET /_matrix/client/v3/notifications',
  'GET /_matrix/client/v3/rooms/{roomId}/messages',
  'GET /_matrix/client/v3/rooms/{roomId}/context/{eventId}',
  'GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}',
  'GET /_matrix/client/v3/rooms/{roomId}/state',
  'GET /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey?}',
  'GET /_matrix/client/v3/rooms/{roomId}/members',
  'GET /_matrix/client/v3/rooms/{roomId}/joined_members',
  'GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}',
]);

/** Endpoints for clients that read nothing of events, or only write. */
export const WITHOUT_EVENTS: ReadonlySet<string> = new Set([
  'GET /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{rootId}/subscription',
  'GET /_matrix/client/unstable/io.element.msc4308/thread_subscriptions',
  'GET /_matrix/client/v1/mutual_rooms',
  'GET /_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms',
  'GET /_matrix/client/v1/room_summary/{roomIdOrAlias}',
  'GET /_matrix/client/v3/publicRooms',
  'POST /_matrix/client/v3/publicRooms',
  'GET /_matrix/client/v3/directory/list/room/{roomId}',
  'POST /_matrix/client/v3/user_directory/search',
  'GET /_matrix/client/v3/account/3pid',
  'GET /_matrix/client/v3/account/whoami',
  'GET /_matrix/client/v3/admin/register',
  'GET /_matrix/client/v3/capabilities',
  'GET /_matrix/client/v3/devices',
  'GET /_matrix/client/v3/devices/{deviceId}',
  'GET /_matrix/client/v3/directory/room/{roomAlias}',
  'GET /_matrix/client/v3/rooms/{roomId}/aliases',
  'GET /_matrix/client/v3/login',
  'GET /_matrix/client/v3/presence/{userId}/status',
  'GET /_matrix/client/v3/profile/{userId}',
  'GET /_matrix/client/v3/profile/{userId}/{keyName}',
  'GET /_matrix/client/v3/register/available',
  'GET /_matrix/client/v1/register/m.login.registration_token/validity',
  'GET /_matrix/client/v3/thirdparty/protocols',
  'GET /_matrix/client/v3/user/{userId}/account_data/{type}',
  'GET /_matrix/client/v3/user/{userId}/filter/{filterId}',
  'GET /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags',
  'GET /_matrix/client/v3/voip/turnServer',
  'GET /_matrix/client/versions',
  'GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events',
  'GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}',
  'POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}',
  'POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}/send',
  'POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}/cancel',
  'POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}/restart',
  'GET /_matrix/client/unstable/org.matrix.msc4143/rtc/transports',
  'GET /_matrix/client/v3/pushrules/',
  'GET /_matrix/client/v3/pushrules/global/',
  'GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}',
  'GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/actions',
  'GET /_matrix/client/v3/pushrules/global/{kind}/{ruleId}/enabled',
  'POST /_matrix/client/v3/account/password',
  'POST /_matrix/client/v3/account/deactivate',
  'POST /_matrix/client/v3/delete_devices',
  'POST /_matrix/client/v3/user/{userId}/filter',
  'POST /_matrix/client/v3/login',
  'POST /_matrix/client/v3/logout/all',
  'POST /_matrix/client/v3/logout',
  'POST /_matrix/client/v3/rooms/{roomId}/ban',
  'POST /_matrix/client/v3/rooms/{roomId}/forget',
  'POST /_matrix/client/v3/rooms/{roomId}/invite',
  'POST /_matrix/client/v3/rooms/{roomId}/join',
  'POST /_matrix/client/v3/join/{roomIdOrAlias}',
  'POST /_matrix/client/v3/rooms/{roomId}/kick',
  'POST /_matrix/client/v3/knock/{roomIdOrAlias}',
  'POST /_matrix/client/v3/rooms/{roomId}/leave',
  'POST /_matrix/client/v3/rooms/{roomId}/unban',
  'POST /_matrix/client/v3/rooms/{roomId}/read_markers',
  'POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}',
  'POST /_matrix/client/v3/register',
  'POST /_matrix/client/v3/createRoom',
  'POST /_matrix/client/v3/rooms/{roomId}/upgrade',
  'GET /_matrix/client/v3/auth/{authType}/fallback/web',
  'POST /_matrix/client/v3/auth/{authType}/fallback/web',
  'POST /_matrix/client/v1/login/get_token',
  'POST /_matrix/client/v3/refresh',
  'GET /_matrix/client/v1/admin/lock/{userId}',
  'GET /_matrix/client/v1/admin/suspend/{userId}',
  'GET /_matrix/client/v3/admin/whois/{userId}',
  'POST /_matrix/client/v3/user/{userId}/openid/request_token',
  // Who may not see an event is told that it is not there.
  'POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}',
  'POST /_matrix/client/v3/rooms/{roomId}/report',
  'POST /_matrix/client/v3/users/{userId}/report',
  'GET /_matrix/client/v3/thirdparty/location',
  'GET /_matrix/client/v3/thirdparty/location/{protocol}',
  'GET /_matrix/client/v3/thirdparty/protocol/{protocol}',
  'GET /_matrix/client/v3/thirdparty/user',
  'GET /_matrix/client/v3/thirdparty/user/{protocol}',
  'GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device',
  'GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{deviceId}/events',
  'POST /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device/{deviceId}/events',
  'GET /_matrix/client/v3/room_keys/keys',
  'GET /_matrix/client/v3/room_keys/version',
  'GET /_matrix/client/v3/room_keys/keys/{roomId}',
  'GET /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}',
  'GET /_matrix/client/v3/room_keys/version/{version}',
  'POST /_matrix/client/v3/room_keys/version',
  'POST /_matrix/client/v3/keys/claim',
  'GET /_matrix/client/v3/keys/changes',
  'POST /_matrix/client/v3/keys/query',
  'POST /_matrix/client/v3/keys/device_signing/upload',
  'POST /_matrix/client/v3/keys/upload',
  'POST /_matrix/client/v3/keys/signatures/upload',
  'GET /_matrix/client/v1/media/config',
  'GET /_matrix/client/v1/media/download/{serverName}/{mediaId}/{fileName}',
  'GET /_matrix/client/v1/media/download/{serverName}/{mediaId}',
  'GET /_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}',
  'GET /_matrix/client/v1/media/preview_url',
  'GET /_matrix/client/v3/pushers',
  'POST /_matrix/client/v3/pushers/set',
]);

/** These only write. A POST may read: search, for example. */
const WRITES = new Set(['PUT', 'DELETE']);

/** The endpoints for clients of which nobody has said whether they serve events. */
export async function undecidedEndpoints(): Promise<readonly string[]> {
  const names = (await loadEndpoints())
    .map(({ endpoint }) => endpoint)
    .filter(({ path }) => path.startsWith('/_matrix/client/'))
    .filter(({ method }) => !WRITES.has(method))
    .map(({ method, path }) => `${method} ${path}`);
  return names.filter((name) => !WITH_EVENTS.has(name) && !WITHOUT_EVENTS.has(name));
}

/** One answer: what was asked, and the text of the body. */
export interface EventAnswer {
  readonly asked: string;
  readonly status: number;
  readonly text: string;
}

/** What is asked about in particular. */
export interface Asked {
  readonly roomId: string;
  readonly eventIds: readonly string[];
  /** Type and state key. */
  readonly places: readonly (readonly [string, string])[];
  /** Tokens of sync, from which the changes are asked. */
  readonly since: readonly string[];
}

function syncQueries(since: readonly string[]): Readonly<Record<string, string | number | boolean>>[] {
  const filters = [
    {},
    { room: { timeline: { limit: 1 } } },
    { room: { timeline: { limit: 50 }, state: { lazy_load_members: true } } },
    { room: { timeline: { limit: 50, types: ['m.none'] }, include_leave: true } },
  ];
  return filters.flatMap((filter, index) =>
    [undefined, ...since].map((from, other) => ({
      filter: JSON.stringify(filter),
      use_state_after: (index + other) % 2 === 0,
      ...(from === undefined ? { full_state: true } : { since: from }),
    })),
  );
}

async function askForRelations(
  person: Person,
  { roomId, eventIds }: Asked,
  answers: EventAnswer[],
): Promise<void> {
  const room = pathOf`/_matrix/client/v1/rooms/${roomId}`;
  const kinds = ['', '/m.annotation', '/m.annotation/m.reaction'];
  const asks = eventIds.flatMap((eventId) => kinds.map((kind) => pathOf`/relations/${eventId}` + kind));
  for (const path of ['/threads', ...asks]) {
    const query = path === '/threads' ? {} : { recurse: true };
    const { status, text } = await person.http.get(room + path, {
      query,
      uncheckedBecause: 'the contents are made up',
    });
    answers.push({ asked: `${person.userId} ${path}`, status, text });
  }
  const path = '/_matrix/client/unstable/event_relationships';
  for (const event_id of eventIds)
    for (const direction of ['up', 'down']) {
      const body = { event_id, direction, include_parent: true, include_children: true };
      const options = { uncheckedBecause: 'the contents are made up' };
      const { status, text } = await person.http.post(path, body, options);
      answers.push({ asked: `${person.userId} relationships ${direction} ${event_id}`, status, text });
    }
}

/** The marks that the walks look for, as highlights do not say them. */
const WORDS = ['hidden', 'secret'];

async function askForWords(person: Person, answers: EventAnswer[]): Promise<void> {
  for (const word of WORDS) {
    const wanted = { search_term: word, event_context: { include_profile: true }, include_state: true };
    const body = { search_categories: { room_events: wanted } };
    const { status, text } = await person.http.post(`${CLIENT}/search`, body, {
      uncheckedBecause: 'the contents are made up',
    });
    answers.push({ asked: `${person.userId} /search ${word}`, status, text });
  }
}

/** Asks every endpoint of {@link WITH_EVENTS} in all the ways that show something else. */
export async function askForEvents(person: Person, asked: Asked): Promise<readonly EventAnswer[]> {
  const { roomId, eventIds, places, since } = asked;
  const answers: EventAnswer[] = [];
  const ask = async (
    path: string,
    query: Readonly<Record<string, string | number | boolean>> = {},
  ): Promise<void> => {
    const { status, text } = await person.http.get(CLIENT + path, {
      query,
      uncheckedBecause: 'the contents are made up',
    });
    answers.push({ asked: `${person.userId} ${path} ${JSON.stringify(query)}`, status, text });
  };
  await askForRelations(person, asked, answers);
  await askForWords(person, answers);
  for (const query of syncQueries(since)) await ask('/sync', query);
  await ask('/joined_rooms');
  for (const only of ['', 'highlight']) await ask('/notifications', { limit: 100, ...(only && { only }) });
  const room = pathOf`/rooms/${roomId}`;
  const lazy = JSON.stringify({ lazy_load_members: true });
  for (const dir of ['b', 'f']) {
    await ask(`${room}/messages`, { dir, limit: 500 });
    await ask(`${room}/messages`, { dir, limit: 500, filter: lazy });
    for (const from of since) await ask(`${room}/messages`, { dir, limit: 500, from });
  }
  for (const eventId of eventIds) {
    await ask(`${room}${pathOf`/event/${eventId}`}`);
    await ask(`${room}${pathOf`/context/${eventId}`}`, { limit: 100 });
  }
  await ask(`${room}/state`);
  for (const [type, key] of places) {
    await ask(`${room}${pathOf`/state/${type}/${key}`}`);
    await ask(`${room}${pathOf`/state/${type}/${key}`}`, { format: 'event' });
  }
  await ask(`${room}/members`);
  for (const membership of ['join', 'invite', 'leave', 'ban', 'knock']) {
    await ask(`${room}/members`, { membership });
    await ask(`${room}/members`, { not_membership: membership });
  }
  for (const at of since) await ask(`${room}/members`, { at });
  await ask(`${room}/joined_members`);
  await ask(`${room}/initialSync`, { limit: 100 });
  await ask('/initialSync', { limit: 100, archived: true });
  for (const from of since) await ask('/events', { from, timeout: 0 });
  for (const eventId of eventIds) await ask(pathOf`/events/${eventId}`);
  await ask(pathOf`/user/${person.userId}/rooms/${roomId}/account_data/m.fully_read`);
  return answers;
}
