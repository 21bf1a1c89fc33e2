import { expect } from 'chai';
import type { JsonObject } from '../../../src/kit/json.ts';
import { type CryptoDevice, cryptoDevice, crossSigning } from '../../support/crypto-device.ts';
import { eventually, textOf } from '../../support/person.ts';
import {
  clientPath,
  type Guest,
  get,
  joinVia,
  type Meeting,
  post,
  put,
} from '../../support/synapse/meeting.ts';
import { memberOf } from '../../support/watcher.ts';

const PASSWORD = 'open sesame 42';

/** What encryption needs: keys of devices, one-time keys, messages between devices, and the news of all that. */
export function describeDevices(getMeeting: () => Meeting): void {
  describe('devices', () => {
    let ida: Guest;
    let jim: Guest;
    const devices = new Map<string, CryptoDevice & { readonly id: string }>();
    const ways = (): readonly (readonly [Guest, Guest])[] => [
      [ida, jim],
      [jim, ida],
    ];
    const deviceOf = (guest: Guest): CryptoDevice & { readonly id: string } => {
      const device = devices.get(guest.userId);
      if (device === undefined) throw new Error(`${guest.userId} has no device`);
      return device;
    };

    async function uploadKeys(guest: Guest): Promise<void> {
      const id = textOf(await get(guest, clientPath`/account/whoami`), 'device_id');
      const device = { ...cryptoDevice(guest.userId, id), id };
      devices.set(guest.userId, device);
      await post(guest, clientPath`/keys/upload`, {
        device_keys: device.keys,
        one_time_keys: device.oneTimeKeys(2),
        fallback_keys: device.fallbackKey('F'),
      });
    }

    before(async () => {
      ida = await getMeeting().guest('troupe', 'ida');
      jim = await getMeeting().guest('synapse', 'jim');
      await uploadKeys(ida);
      await uploadKeys(jim);
      const roomId = await ida.createRoom({ preset: 'public_chat' });
      await joinVia(jim, roomId, ida.serverName);
      await ida.until('the join', (seen) => memberOf(seen, roomId, jim.userId));
    });

    async function queryKeys(asker: Guest, asked: Guest): Promise<JsonObject> {
      return post(asker, clientPath`/keys/query`, { device_keys: { [asked.userId]: [] } });
    }

    it('have keys that the others find', async () => {
      for (const [asker, asked] of ways()) {
        const device = deviceOf(asked);
        const found = await eventually(`the keys of ${asked.userId}`, async () => {
          const answer = await queryKeys(asker, asked);
          expect(answer['failures'] ?? {}).to.deep.equal({});
          const all = (answer['device_keys'] as JsonObject)[asked.userId] as JsonObject | undefined;
          return all?.[device.id] as JsonObject | undefined;
        });
        expect(found['keys']).to.deep.equal(device.keys['keys']);
        expect(found['signatures']).to.deep.equal(device.keys['signatures']);
      }
    });

    it('have one-time keys, each given once, and then a fallback key', async () => {
      for (const [asker, asked] of ways()) {
        const { id } = deviceOf(asked);
        const claim = async (): Promise<string> => {
          const answer = await post(asker, clientPath`/keys/claim`, {
            one_time_keys: { [asked.userId]: { [id]: 'signed_curve25519' } },
          });
          expect(answer['failures'] ?? {}).to.deep.equal({});
          const ofUser = (answer['one_time_keys'] as JsonObject)[asked.userId] as JsonObject;
          return Object.keys(ofUser[id] as JsonObject).join(' ');
        };
        const given = [await claim(), await claim()];
        expect(given).to.have.members(['signed_curve25519:K1', 'signed_curve25519:K2']);
        expect(await claim()).to.equal('signed_curve25519:F');
        expect(await claim()).to.equal('signed_curve25519:F');
      }
    });

    it('send each other messages', async () => {
      for (const [writer, reader] of ways()) {
        const { id } = deviceOf(reader);
        const content = { ciphertext: `for ${reader.userId}` };
        await put(writer, clientPath`/sendToDevice/m.room.encrypted/txn-${writer.userId}`, {
          messages: { [reader.userId]: { [id]: content } },
        });
        const message = await reader.until('the message', (seen) =>
          seen.toDevice.find(({ sender }) => sender === writer.userId),
        );
        expect(message).to.deep.include({ type: 'm.room.encrypted', content });
      }
    });

    it('are news when they come and when they go', async () => {
      for (const [watcher, watched] of ways()) {
        await watcher.until('nothing', () => true);
        const answer = await watched.http.post(clientPath`/login`, {
          type: 'm.login.password',
          identifier: { type: 'm.id.user', user: watched.userId },
          password: PASSWORD,
        });
        const login = answer.body as JsonObject;
        const id = textOf(login, 'device_id');
        const http = watched.http.withToken(textOf(login, 'access_token'));
        const uploaded = await http.post(clientPath`/keys/upload`, {
          device_keys: cryptoDevice(watched.userId, id).keys,
        });
        expect(uploaded.status, uploaded.text).to.equal(200);
        await watcher.until('the news', (seen) => seen.changed.has(watched.userId));
        const devicesSeen = async (): Promise<readonly string[]> => {
          const keys = await queryKeys(watcher, watched);
          return Object.keys(((keys['device_keys'] as JsonObject)[watched.userId] ?? {}) as JsonObject);
        };
        await eventually('the new device', async () => (await devicesSeen()).includes(id));
        await http.post(clientPath`/logout`, {});
        await eventually('its end', async () => !(await devicesSeen()).includes(id));
      }
    });

    it('are vouched for by the cross-signing keys of their users', async () => {
      for (const [watcher, watched] of ways()) {
        const { body, masterKey } = crossSigning(watched.userId);
        const first = await watched.http.post(clientPath`/keys/device_signing/upload`, body);
        if (first.status === 401) {
          const { session } = first.body as { session: string };
          const auth = {
            type: 'm.login.password',
            identifier: { type: 'm.id.user', user: watched.userId },
            password: PASSWORD,
            session,
          };
          await post(watched, clientPath`/keys/device_signing/upload`, { ...body, auth });
        }
        await eventually('the master key', async () => {
          const keys = await queryKeys(watcher, watched);
          const master = ((keys['master_keys'] ?? {}) as JsonObject)[watched.userId] as
            JsonObject | undefined;
          return JSON.stringify(master?.['keys'] ?? {}).includes(masterKey);
        });
      }
    });
  });
}
