import { expect } from 'chai';
import type { Json, JsonObject } from '../../src/kit/json.ts';
import { type CryptoDevice, cryptoDevice } from '../support/crypto-device.ts';
import { killAndRestart } from '../support/encrypting-client.ts';
import type { HttpClient } from '../support/http-client.ts';
import { clientOfUrl, okBody } from '../support/person.ts';
import { register, type Session } from '../support/sdk-client.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 120_000;
const CLIENTS = 8;
/** Claims of each client, one after the other. */
const ROUNDS = 5;
/** Uploaded at first, and piece by piece while others claim; together no more than are remembered when they are claimed. */
const [FIRST, LATER, PIECE] = [60, 40, 10];
const FALLBACK = 'F';

describe('many claim the keys of one device', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let server: TroupeProcess;
  let session: Session;
  let device: CryptoDevice;
  let clients: HttpClient[] = [];
  /** Every key that went out. */
  const claimed: string[] = [];

  const connect = (): void => {
    for (const client of clients) client.close();
    clients = Array.from({ length: CLIENTS }, () => clientOfUrl(server.url).withToken(session.accessToken));
  };
  const fieldOf = (body: Json, ...names: readonly string[]): Json | undefined =>
    names.reduce<Json | undefined>((value, name) => (value as JsonObject | undefined)?.[name], body);
  /** Gives how many keys nobody has claimed. */
  async function upload(
    keys: JsonObject,
    client = clientOfUrl(server.url).withToken(session.accessToken),
  ): Promise<number> {
    const answer = await client.post('/_matrix/client/v3/keys/upload', keys);
    client.close();
    return Number(fieldOf(okBody(answer, 'upload'), 'one_time_key_counts', 'signed_curve25519'));
  }
  /** Null when no answer came. */
  async function claim(client: HttpClient): Promise<string | null> {
    const { userId, deviceId } = session;
    const body = { one_time_keys: { [userId]: { [deviceId]: 'signed_curve25519' } } };
    const answer = await client.post('/_matrix/client/v3/keys/claim', body).catch(() => null);
    const key = answer === null ? undefined : fieldOf(answer.body, 'one_time_keys', userId, deviceId);
    return key === undefined ? null : (Object.keys(key as JsonObject)[0] ?? null);
  }
  /** One client after the other would be easy: each claims one key after the other, all of them at the same time. */
  function claimTogether(rounds: number): Promise<string[][]> {
    return Promise.all(
      clients.map(async (client) => {
        const own: string[] = [];
        while (own.length < rounds) own.push((await claim(client)) ?? 'no answer');
        return own;
      }),
    );
  }
  const all = (): Record<string, JsonObject> => device.oneTimeKeys(FIRST + LATER);
  const order = (): string[] => Object.keys(all());
  const piece = (from: number, count: number): JsonObject => ({
    one_time_keys: Object.fromEntries(Object.entries(all()).slice(from, from + count)),
  });

  before(async () => {
    server = await startTroupe({ gateways: 4 });
    session = await register(server.url, 'ann', 'ann has a secret');
    device = cryptoDevice(session.userId, session.deviceId);
    connect();
  });
  after(async () => {
    for (const client of clients) client.close();
    await server?.dispose();
  });

  it('at the same time: each goes out once, in the order of their upload, while more are uploaded', async () => {
    expect(await upload({ device_keys: device.keys, ...piece(0, FIRST) })).to.equal(FIRST);
    const storm = claimTogether(ROUNDS);
    for (let from = FIRST; from < FIRST + LATER; from += PIECE) await upload(piece(from, PIECE));
    for (const own of await storm) {
      const places = own.map((key) => order().indexOf(key));
      expect(places, 'later claims get later keys').to.deep.equal(places.toSorted((a, b) => a - b));
      claimed.push(...own);
    }
    expect(claimed.toSorted()).to.deep.equal(
      order()
        .slice(0, CLIENTS * ROUNDS)
        .toSorted(),
    );
    expect(await upload({})).to.equal(FIRST + LATER - claimed.length);
  });

  it('while the server dies: no key goes out twice, and a repeated upload brings none back', async () => {
    const cut = Promise.all(clients.map(claim));
    server = await killAndRestart(server, 2);
    const during = (await cut).filter((key) => key !== null);
    connect();
    const left = await upload({ one_time_keys: all() });
    const before = FIRST + LATER - claimed.length;
    expect(left, 'keys of claims that were not answered may be gone').to.be.within(
      before - CLIENTS,
      before - during.length,
    );
    claimed.push(...during);
    const rounds = Math.floor(left / CLIENTS);
    claimed.push(...(await claimTogether(rounds)).flat());
    while ((await upload({})) > 0) claimed.push((await claim(clients[0] as HttpClient)) ?? 'no answer');
    expect(new Set(claimed).size, 'no key twice').to.equal(claimed.length);
    expect(claimed).to.have.length(FIRST + LATER - before + during.length + left);
  });

  it('until none is left: then everybody gets the fallback key, and its device is told', async () => {
    const client = clients[0] as HttpClient;
    expect(await claim(client)).to.equal(null);
    const unused = async () => {
      const synced = okBody(await client.get('/_matrix/client/v3/sync'), 'sync');
      return [synced['device_unused_fallback_key_types'], synced['device_one_time_keys_count']];
    };
    await upload({ fallback_keys: device.fallbackKey(FALLBACK) });
    expect(await unused()).to.deep.equal([['signed_curve25519'], { signed_curve25519: 0 }]);
    const got = new Set((await claimTogether(2)).flat());
    expect([...got]).to.deep.equal([`signed_curve25519:${FALLBACK}`]);
    expect(await unused()).to.deep.equal([[], { signed_curve25519: 0 }]);
    await upload({ one_time_keys: device.oneTimeKeys(1, 'L') });
    expect(await claim(client), 'a one-time key again').to.equal('signed_curve25519:L1');
  });
});
