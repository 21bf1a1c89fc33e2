import { expect } from 'chai';
import { readWaitingMessages } from '../../../db/to-device/reader.ts';
import type { AccountsProtocol, LoggedIn } from '../../../actors/accounts/protocol.ts';
import type { OutputOf } from '../../../actors/kit/protocol.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { type AccountsWorld, createAccountsWorld } from './accounts-world.ts';

const ALICE = '@alice:example.org';

describe('the inbox of a device', () => {
  let world: AccountsWorld;
  beforeEach(async () => {
    world = await createAccountsWorld();
  });
  afterEach(() => world.close());

  async function logIn(deviceId: string): Promise<LoggedIn> {
    const answer: OutputOf<AccountsProtocol, 'accounts.log-in'> = await world.accounts.ask(
      'accounts.log-in',
      {
        userId: ALICE,
        deviceId,
        initialDeviceDisplayName: null,
      },
    );
    if (isRefusal(answer)) throw new Error(answer.error);
    return answer;
  }

  const waiting = (): Promise<unknown[]> =>
    readWaitingMessages(world.database.db, { userId: ALICE, deviceId: 'PHONE' }, 0, 1_000, 10);

  it('goes with the device: a later one of the same id finds nothing of it', async () => {
    await world.accounts.ask('accounts.register', {
      userId: ALICE,
      passwordHash: null,
      isAdmin: false,
      displayname: null,
      registrationToken: null,
      device: null,
    });
    await logIn('PHONE');
    await world.host.ref('to-device').ask('to-device.send-messages', {
      sender: ALICE,
      senderDevice: 'PHONE',
      txnId: 't1',
      type: 'org.example.secret',
      messages: { [ALICE]: { PHONE: { key: 'value' } } },
    });
    expect(await waiting()).to.have.length(1);
    await world.accounts.ask('accounts.delete-devices', { userId: ALICE, deviceIds: ['PHONE'] });
    await logIn('PHONE');
    expect(await waiting()).to.deep.equal([]);
  });
});
