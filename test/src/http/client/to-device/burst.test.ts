import { expect } from 'chai';
import { readWaitingMessages } from '../../../../../db/to-device/reader.ts';
import { TO_DEVICE_MESSAGES_MAX } from '../../../../../src/sync/to-device.ts';
import { isRefusal } from '../../../../../src/matrix/refusal.ts';
import { openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';

const MESSAGES = 10_000;
const SENT_AT_ONCE = 2_000;
/** Every so many pages the answer is lost, or the owner dies. */
const TROUBLE_EVERY = 10;

describe('a burst of messages to a device', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;

  beforeEach(async () => {
    world = await openSyncWorld();
    [alice, bob] = [await world.person('alice'), await world.person('bob')];
  });
  afterEach(() => world.stop());

  const numbersOf = (synced: Awaited<ReturnType<Person['sync']>>): number[] =>
    ((synced.to_device?.events ?? []) as { content: { n: number } }[]).map(({ content }) => content.n);

  it('comes in pages, in order, each message once, whatever is lost or dies in between', async () => {
    const owner = world.host.ref('to-device');
    const send = (n: number) =>
      owner.ask('to-device.send-messages', {
        sender: alice.userId,
        senderDevice: alice.deviceId,
        txnId: `t${n}`,
        type: 'm.x',
        messages: { [bob.userId]: { '*': { n } } },
      });
    for (let from = 0; from < MESSAGES; from += SENT_AT_ONCE) {
      const sent = await Promise.all(Array.from({ length: SENT_AT_ONCE }, (_, index) => send(from + index)));
      expect(sent.some(isRefusal)).to.equal(false);
    }
    await world.streams.reached('to-device', MESSAGES);
    const received: number[] = [];
    let since: string | undefined;
    for (let page = 0; received.length < MESSAGES; page += 1) {
      const query = since === undefined ? {} : { since, timeout: 0 };
      if (page % TROUBLE_EVERY === 3) {
        // This answer is lost: the client asks again from where it was.
        const lost = numbersOf(await bob.sync(query));
        expect(lost[0]).to.equal(received.length);
      }
      if (page % TROUBLE_EVERY === 7) await world.host.restart('to-device');
      const answer = await bob.sync(query);
      const numbers = numbersOf(answer);
      expect(numbers).to.have.length(TO_DEVICE_MESSAGES_MAX);
      received.push(...numbers);
      since = answer.next_batch as string;
    }
    expect(received).to.deep.equal(Array.from({ length: MESSAGES }, (_, n) => n));
    const after = await bob.sync({ since: since ?? '', timeout: 0 });
    expect(numbersOf(after)).to.deep.equal([]);
    const left = await readWaitingMessages(world.database.db, bob, 0, Number.MAX_SAFE_INTEGER, 1);
    expect(left, 'acknowledged messages are deleted').to.deep.equal([]);
  }).timeout(60_000);
});
