import type { Config } from '../../../../src/config/config.ts';
import type { Endpoint } from '../../../../src/http/kit/endpoint.ts';
import { loadEndpoints } from '../../../../src/http/kit/load-endpoints.ts';
import { createRemoteQueries } from '../../../../src/federation/queries/remote-queries.ts';
import type { Services } from '../../../../src/http/kit/services.ts';
import type { Json, JsonObject } from '../../../../src/kit/json.ts';
import { type AccountsWorld, createAccountsWorld } from '../../../actors/accounts/accounts-world.ts';
import { NOBODY_OUT_THERE } from '../../../support/nobody-out-there.ts';
import type { HttpAnswer, HttpClient } from '../../../support/http-client.ts';
import { startTestApp, type TestApp } from '../kit/test-app.ts';

const AREAS =
  /\/src\/http\/(admin\/(server|users)|client\/(account|capabilities|devices|fallback|login|moderation|openid|profile|registration|reports|third-party))\//;

let loaded: Promise<readonly Endpoint[]> | undefined;

async function loadAccountEndpoints(): Promise<readonly Endpoint[]> {
  const endpoints = await loadEndpoints();
  return endpoints.filter(({ file }) => AREAS.test(file)).map(({ endpoint }) => endpoint);
}

/** The endpoints of accounts on a real socket, above the real actors. */
export interface AccountApp {
  readonly world: AccountsWorld;
  readonly config: Config;
  readonly client: HttpClient;
  /** What the app itself logged, and the actors. */
  logText(): string;
  /** Registers by way of the dummy stage, for configurations with open registration. */
  register(username: string, password: string): Promise<HttpClient>;
  /** Logs in on a device and gives the client that holds its token. */
  logIn(username: string, password: string, deviceId: string): Promise<HttpClient>;
  close(): Promise<void>;
}

/** Fields of a JSON body. */
export function fieldsOf(answer: HttpAnswer): JsonObject {
  return answer.body as JsonObject;
}

/** A text among the fields of a JSON body. */
export function textOf(answer: HttpAnswer, name: string): string {
  const value: Json | undefined = fieldsOf(answer)[name];
  if (typeof value !== 'string') throw new Error(`no text "${name}" in ${answer.text}`);
  return value;
}

/** Status and errcode in one text: `403 M_FORBIDDEN`. */
export function outcomeOf(answer: HttpAnswer): string {
  const errcode = fieldsOf(answer)['errcode'];
  return typeof errcode === 'string' ? `${answer.status} ${errcode}` : String(answer.status);
}

/** Starts the app. Close it at the end of the test. */
export async function startAccountApp(
  environment: Readonly<Record<string, string>> = {},
): Promise<AccountApp> {
  const world = await createAccountsWorld({ TROUPE_REGISTRATION_OPEN: 'true', ...environment });
  const { host, config, caches, clock, streams } = world;
  const { db } = world.database;
  const services: Partial<Services> = {
    accounts: world.accounts,
    pool: host.ref('pool'),
    reports: host.ref('reports'),
    rooms: host.ref('rooms'),
    cached: caches,
    remoteQueries: createRemoteQueries(NOBODY_OUT_THERE, clock, config.server.name),
    streams,
  };
  const listen = { host: '127.0.0.1', port: 0 };
  const app: TestApp = await startTestApp(await (loaded ??= loadAccountEndpoints()), {
    config: { ...config, server: { ...config.server, listen } },
    clock,
    db,
    services,
  });
  const { client } = app;
  const tokenOf = (answer: HttpAnswer): HttpClient => client.withToken(textOf(answer, 'access_token'));
  return {
    world,
    config,
    client,
    logText: () => `${JSON.stringify(app.lines)}\n${world.logged.text()}`,
    async register(username, password) {
      const body = { username, password, device_id: 'FIRST', auth: { type: 'm.login.dummy' } };
      return tokenOf(await client.post('/_matrix/client/v3/register', body));
    },
    async logIn(username, password, deviceId) {
      const identifier = { type: 'm.id.user', user: username };
      const body = { type: 'm.login.password', identifier, password, device_id: deviceId };
      return tokenOf(await client.post('/_matrix/client/v3/login', body));
    },
    async close() {
      await app.close();
      await world.close();
    },
  };
}
