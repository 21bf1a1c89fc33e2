import { expect } from 'chai';
import { MESSAGES_PER_REQUEST_MAX } from '../../../actors/to-device/sort-messages.ts';
import {
  CHECK_INTERVAL,
  createInboxChecks,
  INBOX_MESSAGES_MAX,
} from '../../../actors/to-device/inbox-checks.ts';
import { readOutboundMessages } from '../../../db/to-device/outbound-reader.ts';
import { readWaitingMessages } from '../../../db/to-device/reader.ts';
import { step } from '../../../db/kit/write-set.ts';
import { insertMessage, TRANSACTION_KEPT_MS } from '../../../db/to-device/writer.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { toDeviceStream } from '../../../src/streams/to-device-stream.ts';
import { TRANSPORTS } from '../../support/actor-host.ts';
import { createOwnerWorld, type OwnerWorld } from '../../support/owner-world.ts';

const ALICE = '@alice:example.com';
const BOB = '@bob:example.com';

type Messages = Readonly<Record<string, Readonly<Record<string, JsonObject>>>>;

for (const transport of TRANSPORTS)
  describe(`the to-device actor, ${transport}`, () => {
    let world: OwnerWorld;
    let transactions = 0;
    beforeEach(async () => {
      transactions = 0;
      world = await createOwnerWorld({ owners: ['to-device'], transport });
      await world.addDevices(ALICE, 'A1');
      await world.addDevices(BOB, 'B1', 'B2', 'B3');
    });
    afterEach(() => world.stop());

    const actor = () => world.host.ref('to-device');
    const send = (messages: Messages, txnId = `t${(transactions += 1)}`, senderDevice = 'A1') =>
      actor().ask('to-device.send-messages', { sender: ALICE, senderDevice, txnId, type: 'm.x', messages });
    const waiting = async (userId: string, deviceId: string, from = 0) => {
      const messages = await readWaitingMessages(world.database.db, { userId, deviceId }, from, 1e9, 1e6);
      return messages.map(({ content }) => JSON.parse(content) as unknown);
    };
    const remove = (deviceId: string, position: number) =>
      actor().ask('to-device.delete-received', { userId: BOB, deviceId, position });

    it('a wildcard reaches every device; unknown devices and users are skipped', async () => {
      const stored = await send({
        [BOB]: { '*': { n: 1 }, GONE: { n: 2 }, B2: { n: 3 } },
        '@nobody:example.com': { '*': { n: 4 }, X: { n: 5 } },
        '@far:other.example': { X: { n: 6 } },
      });
      expect(stored).to.deep.equal({ kind: 'stored', position: 5 });
      const [outbound] = await readOutboundMessages(world.database.db, 'other.example', 10);
      expect(outbound?.position).to.equal(5);
      expect(JSON.parse(outbound?.content ?? '')).to.deep.include({
        sender: ALICE,
        type: 'm.x',
        messages: { '@far:other.example': { X: { n: 6 } } },
      });
      expect(await waiting(BOB, 'B1')).to.deep.equal([{ n: 1 }]);
      expect(await waiting(BOB, 'B2')).to.deep.equal([{ n: 1 }, { n: 3 }]);
      expect(await waiting(BOB, 'GONE')).to.deep.equal([]);
      await world.host.idle();
      expect(world.stored).to.deep.equal([{ destinations: ['other.example'], what: 'messages' }]);
      expect(world.rows(toDeviceStream).map(({ position, row }) => [position, row.deviceId])).to.deep.equal([
        [1, 'B1'],
        [2, 'B2'],
        [3, 'B3'],
        [4, 'B2'],
      ]);
    });

    it('what reaches nobody is stored as nothing', async () => {
      expect(await send({ [BOB]: { GONE: {} } })).to.deep.equal({ kind: 'stored', position: 0 });
      expect(world.commits).to.equal(0);
    });

    it('a transaction counts once, also after a restart and from two connections at once', async () => {
      await Promise.all([
        send({ [BOB]: { B1: { n: 1 } } }, 'same'),
        send({ [BOB]: { B1: { n: 1 } } }, 'same'),
      ]);
      await world.restartServer();
      const again = await send({ [BOB]: { B1: { n: 1 } } }, 'same');
      expect(isRefusal(again)).to.equal(false);
      expect(await waiting(BOB, 'B1')).to.deep.equal([{ n: 1 }]);
      await send({ [BOB]: { B1: { n: 2 } } }, 'same', 'A2');
      expect(await waiting(BOB, 'B1'), 'of another device it is another').to.have.length(2);
    });

    it('a device gets messages in the order in which they were sent', async () => {
      const numbers = Array.from({ length: 200 }, (_, index) => index);
      await Promise.all(numbers.map((n) => send({ [BOB]: { B1: { n }, B2: { n } } })));
      expect(await waiting(BOB, 'B1')).to.deep.equal(numbers.map((n) => ({ n })));
      expect(await waiting(BOB, 'B2')).to.deep.equal(numbers.map((n) => ({ n })));
      await world.host.idle();
      const positions = world.rows(toDeviceStream).map(({ position }) => position);
      expect(positions).to.deep.equal(Array.from({ length: 400 }, (_, index) => index + 1));
    });

    it('deletes exactly what a device has received', async () => {
      for (const n of [1, 2, 3]) await send({ [BOB]: { B1: { n }, B2: { n } } });
      expect(await remove('B1', 3)).to.deep.equal({ kind: 'deleted', count: 2 });
      expect(await remove('B1', 3)).to.deep.equal({ kind: 'deleted', count: 0 });
      expect(await waiting(BOB, 'B1')).to.deep.equal([{ n: 3 }]);
      expect(await waiting(BOB, 'B2')).to.have.length(3);
      const gone = await actor().ask('to-device.delete-device', { userId: BOB, deviceId: 'B2' });
      expect(gone).to.deep.equal({ kind: 'deleted', count: 3 });
      expect(await waiting(BOB, 'B2')).to.deep.equal([]);
      expect(await waiting(BOB, 'B1')).to.have.length(1);
    });

    it('4.4 the position never falls, though every message was received before the restart (#16682)', async () => {
      await send({ [BOB]: { '*': {} } });
      await Promise.all(['B1', 'B2', 'B3'].map((deviceId) => remove(deviceId, 3)));
      await world.restartServer();
      expect(await send({ [BOB]: { GONE: {} } })).to.deep.equal({ kind: 'stored', position: 3 });
      expect(await send({ [BOB]: { B1: {} } })).to.deep.equal({ kind: 'stored', position: 4 });
      expect(await waiting(BOB, 'B1', 3)).to.have.length(1);
    });

    it('refuses while storage cannot be written, and the transaction may be sent again', async () => {
      world.fault = 'disk-full';
      const refused = await Promise.all([send({ [BOB]: { B1: { n: 1 } } }, 'retried'), remove('B1', 9)]);
      expect(refused.map((answer) => isRefusal(answer) && answer.status)).to.deep.equal([503, 503]);
      world.fault = null;
      expect(await send({ [BOB]: { B1: { n: 1 } } }, 'retried')).to.deep.equal({
        kind: 'stored',
        position: 1,
      });
    });

    it('takes what reaches as many devices as it may, and refuses more whole', async () => {
      const devices = Array.from({ length: MESSAGES_PER_REQUEST_MAX - 3 }, (_, index) => `M${index}`);
      await world.addDevices('@many:example.com', ...devices);
      const most = { '@many:example.com': { '*': {} }, [BOB]: { '*': {} } };
      expect(await send(most)).to.deep.equal({ kind: 'stored', position: MESSAGES_PER_REQUEST_MAX });
      const refused = await send({ ...most, [ALICE]: { A1: {} } });
      expect(refused).to.deep.include({ kind: 'refused', errcode: 'M_TOO_LARGE', status: 413 });
      expect(await waiting(BOB, 'B1')).to.have.length(1);
    }).timeout(10_000);
  });

describe('the to-device actor', () => {
  let world: OwnerWorld;
  afterEach(() => world.stop());

  it('a device that comes anew under an old id may use its transaction ids again', async () => {
    world = await createOwnerWorld({ owners: ['to-device'] });
    await world.addDevices(BOB, 'B1');
    const actor = world.host.ref('to-device');
    const send = () =>
      actor.ask('to-device.send-messages', {
        sender: ALICE,
        senderDevice: 'A1',
        txnId: 't',
        type: 'm.x',
        messages: { [BOB]: { B1: {} } },
      });
    await send();
    await actor.ask('to-device.delete-device', { userId: ALICE, deviceId: 'A1' });
    await send();
    const waiting = await readWaitingMessages(world.database.db, { userId: BOB, deviceId: 'B1' }, 0, 1e9, 10);
    expect(waiting).to.have.length(2);
  });

  it('looks at an inbox with its first message of a life, and then once in a while', () => {
    const due = createInboxChecks();
    const phone = { userId: BOB, deviceId: 'B1' };
    const counts = Array.from({ length: 2 * CHECK_INTERVAL + 1 }, () => due([phone]).length);
    expect(counts.flatMap((count, index) => (count === 0 ? [] : [index]))).to.deep.equal([
      0,
      CHECK_INTERVAL,
      2 * CHECK_INTERVAL,
    ]);
    expect(due([phone, { userId: BOB, deviceId: 'B2' }])).to.deep.equal([{ userId: BOB, deviceId: 'B2' }]);
  });

  it('bounds the inbox of a device that does not fetch it: the oldest go', async () => {
    world = await createOwnerWorld({ owners: ['to-device'] });
    await world.addDevices(BOB, 'B1', 'B2');
    const insertMany = async (from: number, to: number): Promise<void> => {
      const steps = Array.from({ length: to - from }, (_, index) =>
        step(insertMessage, {
          userId: BOB,
          deviceId: 'B1',
          sender: ALICE,
          type: 'm.x',
          content: '{}',
          position: from + index,
        }),
      );
      await world.database.write.write({ owner: 'test', steps });
    };
    // Negative positions: what the owner gives out begins at 1.
    await insertMany(-INBOX_MESSAGES_MAX, 0);
    const actor = world.host.ref('to-device');
    const send = (txnId: string, messages: Messages) =>
      actor.ask('to-device.send-messages', {
        sender: ALICE,
        senderDevice: 'A1',
        txnId,
        type: 'm.x',
        messages,
      });
    const oldest = async (): Promise<number | undefined> => {
      const device = { userId: BOB, deviceId: 'B1' };
      return (await readWaitingMessages(world.database.db, device, -1e9, 1e9, 1))[0]?.position;
    };
    await send('first', { [BOB]: { B1: {}, B2: {} } });
    expect(await oldest(), 'the first of this life').to.equal(1 - INBOX_MESSAGES_MAX);
    const other = await readWaitingMessages(world.database.db, { userId: BOB, deviceId: 'B2' }, 0, 1e9, 9);
    expect(other).to.have.length(1);
  }).timeout(20_000);

  it('forgets a transaction after its time', async () => {
    world = await createOwnerWorld({ owners: ['to-device'] });
    await world.addDevices(BOB, 'B1');
    const send = () =>
      world.host.ref('to-device').ask('to-device.send-messages', {
        sender: ALICE,
        senderDevice: 'A1',
        txnId: 't',
        type: 'm.x',
        messages: { [BOB]: { B1: {} } },
      });
    await send();
    await world.clock.advance(TRANSACTION_KEPT_MS);
    expect(await send()).to.deep.equal({ kind: 'stored', position: 1 });
    await world.clock.advance(1);
    expect(await send()).to.deep.equal({ kind: 'stored', position: 2 });
  });
});
