import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Json, JsonObject } from '../../../src/kit/json.ts';
import { type Door, openDoor } from '../door.ts';
import { type HttpClient, pathOf } from '../http-client.ts';
import { clientOfUrl, okBody, type Person, register, type SeenEvent, textOf } from '../person.ts';
import { federationEnvironment } from '../troupe-cluster.ts';
import { startTroupe, type TroupeProcess } from '../troupe-process.ts';
import { memberOf, watch, type Watcher } from '../watcher.ts';
import { startSynapse, type SynapsePeer } from './peer.ts';

/** Somebody who is logged in somewhere and watches what comes. */
export interface Guest extends Person, Watcher {
  readonly serverName: string;
}

/** A whole Troupe and a whole Synapse, each behind a door that can be cut. */
export interface Meeting {
  readonly troupe: {
    readonly serverName: string;
    /** Its client-server API, wherever it is started again. */
    readonly url: string;
    readonly http: HttpClient;
    readonly door: Door;
    /** What it has printed so far. */
    output(): string;
    /** Ends it without a word of warning, and starts it again. */
    killAndRestart(): Promise<void>;
    /** Tries another server at once, whatever its back-off. */
    retry(serverName: string): Promise<void>;
  };
  readonly synapse: SynapsePeer;
  /** Somebody new, on one of the two. */
  guest(where: 'troupe' | 'synapse', name: string): Promise<Guest>;
  /** Nobody of the two gets through to the other. */
  part(): void;
  /** They get through again, and Troupe tries at once; Synapse tries when it has something to tell. */
  reunite(): Promise<void>;
  dispose(): Promise<void>;
}

const CLIENT = '/_matrix/client/v3';

/** A Troupe that can be started again: both its listeners stay where they are for others. */
async function startTroupeBehindDoors(
  folder: string,
): Promise<Meeting['troupe'] & { dispose(): Promise<void> }> {
  const door = await openDoor();
  const clientDoor = await openDoor();
  const environment = {
    ...federationEnvironment(door.address, folder),
    TROUPE_FEDERATION_LISTEN: '127.0.0.1:0',
    TROUPE_LOG_LEVEL: 'info',
  };
  let before = '';
  const start = async (): Promise<TroupeProcess> => {
    const server = await startTroupe({ folder, environment });
    const port = /with TLS\s+https:\/\/127\.0\.0\.1:(\d+)/.exec(server.output())?.[1];
    if (port === undefined) throw new Error(`no listener with TLS:\n${server.output()}`);
    door.leadTo(Number(port));
    clientDoor.leadTo(Number(new URL(server.url).port));
    return server;
  };
  let server = await start();
  const url = `http://${clientDoor.address}`;
  const http = clientOfUrl(url);
  return {
    serverName: door.address,
    url,
    http,
    door,
    output: () => before + server.output(),
    async killAndRestart() {
      await server.kill();
      before += server.output();
      server = await start();
    },
    async retry(serverName) {
      const inspector = clientOfUrl(server.inspectorUrl);
      await inspector.post(pathOf`/_troupe/inspector/v1/destinations/${serverName}/retry`, undefined);
      inspector.close();
    },
    async dispose() {
      http.close();
      await server.dispose();
      await Promise.all([door.close(), clientDoor.close()]);
    },
  };
}

function guestOf(person: Person, serverName: string): Guest {
  return { ...person, ...watch(person), serverName };
}

/** Starts both. */
export async function startMeeting(): Promise<Meeting | { readonly missing: string }> {
  const synapse = await startSynapse();
  if ('missing' in synapse) return synapse;
  const folder = mkdtempSync(join(tmpdir(), 'troupe-meeting-'));
  const troupe = await startTroupeBehindDoors(folder).catch(async (error: unknown) => {
    await synapse.dispose();
    throw error;
  });
  const doors = [troupe.door, synapse.door];
  return {
    troupe,
    synapse,
    async guest(where, name) {
      const { http, serverName } = where === 'troupe' ? troupe : synapse;
      return guestOf(await register(http, name), serverName);
    },
    part() {
      for (const one of doors) one.cut();
    },
    async reunite() {
      for (const one of doors) one.mend();
      await troupe.retry(synapse.serverName);
    },
    async dispose() {
      await Promise.all([troupe.dispose(), synapse.dispose()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A path of the client-server API, its parts encoded. */
export function clientPath(texts: TemplateStringsArray, ...parts: readonly string[]): string {
  return CLIENT + pathOf(texts, ...parts);
}

/** Asks for something that must be given. */
export async function post(person: Person, path: string, body: Json = {}): Promise<JsonObject> {
  return okBody(await person.http.post(path, body), `${person.userId}: POST ${path}`);
}

/** Puts something where it must be taken. */
export async function put(person: Person, path: string, body: Json): Promise<JsonObject> {
  return okBody(await person.http.put(path, body), `${person.userId}: PUT ${path}`);
}

/** Reads what must be there. */
export async function get(
  person: Person,
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<JsonObject> {
  return okBody(await person.http.get(path, { query }), `${person.userId}: GET ${path}`);
}

/** Joins a room by its alias or id, with the help of servers. */
export async function joinVia(guest: Guest, room: string, ...servers: readonly string[]): Promise<string> {
  const query = { via: servers, server_name: servers };
  const answer = await guest.http.post(clientPath`/join/${room}`, {}, { query });
  return textOf(okBody(answer, `${guest.userId} joins ${room}`), 'room_id');
}

/** A public room of one, with the other in it; both servers know all of it. */
export async function shareRoom(host: Guest, other: Guest, body: JsonObject = {}): Promise<string> {
  const roomId = await host.createRoom({ preset: 'public_chat', ...body });
  await joinVia(other, roomId, host.serverName);
  await host.until('the join', (seen) => memberOf(seen, roomId, other.userId));
  // Only then a Synapse that joins has the whole state, which it asks for behind its join.
  await other.until('the room', (seen) => seen.membership(roomId) === 'join');
  return roomId;
}

/** The state of a room as somebody's server has it: which event stands under which type and key. */
export async function stateOf(guest: Guest, roomId: string): Promise<ReadonlyMap<string, string>> {
  const answer = await guest.http.get(clientPath`/rooms/${roomId}/state`);
  okBody(answer, `${guest.userId} reads the state`);
  const events = answer.body as unknown as readonly SeenEvent[];
  return new Map(
    events
      .map((event): [string, string] => [`${event.type} ${event.state_key ?? ''}`, event.event_id])
      .toSorted(([left], [right]) => left.localeCompare(right)),
  );
}
