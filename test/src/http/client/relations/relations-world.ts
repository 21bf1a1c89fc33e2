import { pathOf } from '../../../../support/http-client.ts';
import type { Answer, Person, SyncQuery } from '../../../sync/sync-world.ts';

const V1 = '/_matrix/client/v1';

let sent = 0;

/** Sends an event of any type, gives its id. */
export async function send(person: Person, roomId: string, type: string, content: object): Promise<string> {
  sent += 1;
  const path = pathOf`/rooms/${roomId}/send/${type}/${`${person.deviceId}-r${sent}`}`;
  return (await person.put(path, content)).event_id;
}

/** What a refused send says. */
export async function refusalOf(
  person: Person,
  roomId: string,
  type: string,
  content: object,
): Promise<string> {
  sent += 1;
  const path = pathOf`/_matrix/client/v3/rooms/${roomId}/send/${type}/${`${person.deviceId}-r${sent}`}`;
  const { status, body } = await person.http.put(path, content);
  return `${status} ${(body as Answer).errcode}`;
}

/** The content of a reaction. */
export function annotation(eventId: string, key: string): object {
  return { 'm.relates_to': { rel_type: 'm.annotation', event_id: eventId, key } };
}

/** The content of a message that relates to another one. */
export function related(relType: string, eventId: string, body: string): object {
  return { msgtype: 'm.text', body, 'm.relates_to': { rel_type: relType, event_id: eventId } };
}

/** The content of an edit. */
export function edit(eventId: string, body: string): object {
  return {
    ...related('m.replace', eventId, `* ${body}`),
    'm.new_content': { msgtype: 'm.text', body },
  };
}

export async function redact(person: Person, roomId: string, eventId: string): Promise<void> {
  sent += 1;
  await person.put(pathOf`/rooms/${roomId}/redact/${eventId}/${`${person.deviceId}-r${sent}`}`);
}

export async function ignore(person: Person, ...users: readonly Person[]): Promise<void> {
  const ignored = Object.fromEntries(users.map(({ userId }) => [userId, {}]));
  const path = pathOf`/user/${person.userId}/account_data/m.ignored_user_list`;
  await person.put(path, { ignored_users: ignored });
}

async function getV1(person: Person, path: string, query: SyncQuery): Promise<Answer> {
  const { status, body, text } = await person.http.get(V1 + path, { query });
  if (status !== 200) throw new Error(`${path}: ${status} ${text}`);
  return body;
}

/** `GET /relations/…`; `kind` is what stands after the event in the path. */
export function relations(
  person: Person,
  roomId: string,
  eventId: string,
  kind = '',
  query: SyncQuery = {},
): Promise<Answer> {
  return getV1(person, pathOf`/rooms/${roomId}/relations/${eventId}` + kind, query);
}

export function threads(person: Person, roomId: string, query: SyncQuery = {}): Promise<Answer> {
  return getV1(person, pathOf`/rooms/${roomId}/threads`, query);
}

export function idsOf(answer: Answer): string[] {
  return answer.chunk.map((event: Answer) => event.event_id);
}

/** What a person is told of what relates to an event. */
export async function bundle(person: Person, roomId: string, eventId: string): Promise<Answer> {
  const event = await person.get(pathOf`/rooms/${roomId}/event/${eventId}`);
  return event.unsigned['m.relations'];
}
