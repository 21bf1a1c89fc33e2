import type { Json, JsonObject } from '../../kit/json.ts';
import type { Clock } from '../../kit/clock.ts';
import { domainOf } from '../../matrix/identifiers/domain.ts';
import { isRefusal, type Refusal } from '../../matrix/refusal.ts';
import type { FederationClient } from '../federation-client.ts';
import { parseAliasAnswer, type RemoteAlias } from './alias-answer.ts';
import { parseHierarchyAnswer, type RemoteSpace } from '../../directory/hierarchy-answer.ts';
import { refusalOf, TOO_MANY_QUESTIONS } from './refusal-of.ts';
import { createRemoteMemory, type Remembered } from './remote-memory.ts';

/** How long an answer is good, and how long a no, in milliseconds. */
export const ANSWER_LIFETIME_MS = 300_000;
export const NO_LIFETIME_MS = 30_000;
/** How long another server may take for one question, in milliseconds. */
const QUESTION_TIMEOUT_MS = 10_000;
/** The largest profile, and the largest answers about rooms, that are read, in bytes. */
const PROFILE_BYTES_MAX = 128 * 1_024;
const ALIAS_BYTES_MAX = 256 * 1_024;
const HIERARCHY_BYTES_MAX = 4 * 1_024 * 1_024;
/** What a thread remembers of each kind, in characters. */
const PROFILES_CHARACTERS_MAX = 8_000_000;
const ALIASES_CHARACTERS_MAX = 2_000_000;
const SPACES_CHARACTERS_MAX = 16_000_000;
/** Servers that are asked for one space, one after the other. */
export const SERVERS_TRIED_MAX = 3;

/** A profile of a user of another server: its fields by name. */
export interface RemoteProfile {
  readonly kind: 'profile';
  readonly fields: ReadonlyMap<string, Json>;
}

/** What is asked of other servers again and again, and remembered for some minutes: one for each gateway thread. */
export interface RemoteQueries {
  /** The profile of a user of another server. Server-Server API v1.19, `GET /_matrix/federation/v1/query/profile`. */
  profile(userId: string): Promise<RemoteProfile | Refusal>;
  /** The room that an alias of another server points at. Server-Server API v1.19, `GET /_matrix/federation/v1/query/directory`. */
  alias(alias: string): Promise<RemoteAlias | Refusal>;
  /**
   * A room and its children as the first of some servers that answers sees them.
   * Server-Server API v1.19, `GET /_matrix/federation/v1/hierarchy/{roomId}`.
   *
   * @param via servers to ask
   */
  space(roomId: string, via: readonly string[], suggestedOnly: boolean): Promise<RemoteSpace | Refusal>;
}

function remembered<Value>(value: Value | Refusal, characters: number): Remembered<Value | Refusal> {
  if (!isRefusal(value)) return { value, characters, lifetimeMs: ANSWER_LIFETIME_MS };
  return { value, characters: 1, lifetimeMs: NO_LIFETIME_MS };
}

function toProfile(body: JsonObject): RemoteProfile {
  return { kind: 'profile', fields: new Map(Object.entries(body).filter(([, value]) => value !== null)) };
}

interface Question<Value> {
  readonly destination: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly answerBytesMax: number;
  /** What it asks for, to begin a sentence with. */
  readonly what: string;
  /** Gives undefined for what is no such answer. */
  readonly parse: (body: JsonObject) => Value | undefined;
}

async function ask<Value>(
  client: FederationClient,
  { what, parse, ...question }: Question<Value>,
): Promise<Remembered<Value | Refusal>> {
  const answer = await client.request({ ...question, method: 'GET', timeoutMs: QUESTION_TIMEOUT_MS });
  const value = answer.kind === 'answered' ? parse(answer.body) : undefined;
  const characters = answer.kind === 'answered' ? JSON.stringify(answer.body).length : 1;
  return remembered<Value>(value ?? refusalOf(answer, what), characters);
}

function askForProfile(
  client: FederationClient,
  userId: string,
): Promise<Remembered<RemoteProfile | Refusal>> {
  return ask(client, {
    destination: domainOf(userId) ?? '',
    path: '/_matrix/federation/v1/query/profile',
    query: { user_id: userId },
    answerBytesMax: PROFILE_BYTES_MAX,
    what: 'The profile',
    parse: toProfile,
  });
}

function askForAlias(client: FederationClient, alias: string): Promise<Remembered<RemoteAlias | Refusal>> {
  return ask(client, {
    destination: domainOf(alias) ?? '',
    path: '/_matrix/federation/v1/query/directory',
    query: { room_alias: alias },
    answerBytesMax: ALIAS_BYTES_MAX,
    what: 'The alias',
    parse: parseAliasAnswer,
  });
}

async function askForSpace(
  client: FederationClient,
  roomId: string,
  servers: readonly string[],
  suggestedOnly: boolean,
): Promise<Remembered<RemoteSpace | Refusal>> {
  const nobody = refusalOf({ kind: 'unreachable', reason: 'nobody to ask', retryTs: null }, 'The room');
  let last = remembered<RemoteSpace>(nobody, 1);
  for (const destination of servers) {
    last = await ask(client, {
      destination,
      path: `/_matrix/federation/v1/hierarchy/${encodeURIComponent(roomId)}`,
      query: { suggested_only: String(suggestedOnly) },
      answerBytesMax: HIERARCHY_BYTES_MAX,
      what: 'The room',
      parse: (body) => parseHierarchyAnswer(body, roomId),
    });
    if (!isRefusal(last.value)) break;
  }
  return last;
}

/** Makes what asks other servers, for one thread. */
export function createRemoteQueries(client: FederationClient, clock: Clock, ownName: string): RemoteQueries {
  const profiles = createRemoteMemory<RemoteProfile | Refusal>(clock, PROFILES_CHARACTERS_MAX);
  const aliases = createRemoteMemory<RemoteAlias | Refusal>(clock, ALIASES_CHARACTERS_MAX);
  const spaces = createRemoteMemory<RemoteSpace | Refusal>(clock, SPACES_CHARACTERS_MAX);
  return {
    async profile(userId) {
      return (await profiles.find(userId, () => askForProfile(client, userId))) ?? TOO_MANY_QUESTIONS;
    },
    async alias(alias) {
      return (await aliases.find(alias, () => askForAlias(client, alias))) ?? TOO_MANY_QUESTIONS;
    },
    async space(roomId, via, suggestedOnly) {
      const servers = [...new Set(via)].filter((server) => server !== ownName).slice(0, SERVERS_TRIED_MAX);
      // What one server says of a room is no answer for those who would ask another.
      const key = JSON.stringify([roomId, suggestedOnly, servers]);
      const found = await spaces.find(key, () => askForSpace(client, roomId, servers, suggestedOnly));
      return found ?? TOO_MANY_QUESTIONS;
    },
  };
}
