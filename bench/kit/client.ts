import { type BenchReply, Connection } from './connection.ts';

/** A logged-in user with a connection. */
export interface BenchUser {
  readonly userId: string;
  readonly token: string;
  readonly connection: Connection;
}

/** The parsed body of an answer that must be a 200. */
export function expectOk(reply: BenchReply, what: string): Record<string, unknown> {
  if (reply.status !== 200) throw new Error(`${what}: ${reply.status} ${reply.body}`);
  return JSON.parse(reply.body) as Record<string, unknown>;
}

/** Registers a user on a server with open registration. */
export async function registerUser(port: number, name: string): Promise<BenchUser> {
  const connection = await Connection.open(port);
  const body = JSON.stringify({
    username: name,
    password: 'a benchmark needs one',
    auth: { type: 'm.login.dummy' },
  });
  const reply = expectOk(
    await connection.request('POST', '/_matrix/client/v3/register', null, body),
    `register ${name}`,
  );
  return { userId: String(reply['user_id']), token: String(reply['access_token']), connection };
}

/** Another connection of the same user, for a request beside the first. */
export async function secondConnection(port: number, user: BenchUser): Promise<BenchUser> {
  return { ...user, connection: await Connection.open(port) };
}

/** Makes a room that anybody may join and gives its id. */
export async function createRoom(user: BenchUser): Promise<string> {
  const reply = await user.connection.request(
    'POST',
    '/_matrix/client/v3/createRoom',
    user.token,
    JSON.stringify({ preset: 'public_chat' }),
  );
  return String(expectOk(reply, 'createRoom')['room_id']);
}

/** Joins a room. */
export async function joinRoom(user: BenchUser, roomId: string): Promise<void> {
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/join`;
  expectOk(await user.connection.request('POST', path, user.token, '{}'), 'join');
}

let transactions = 0;

/** Sends one text message. Gives its event id and how long it took. */
export async function sendMessage(
  user: BenchUser,
  roomId: string,
  text: string,
): Promise<{ readonly eventId: string; readonly tookMs: number }> {
  transactions += 1;
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/send/m.room.message/t${transactions}`;
  const body = JSON.stringify({ msgtype: 'm.text', body: text });
  const reply = await user.connection.request('PUT', path, user.token, body);
  return { eventId: String(expectOk(reply, 'send')['event_id']), tookMs: reply.tookMs };
}
