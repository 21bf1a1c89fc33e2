import { expect } from 'chai';
import { USES_FLUSH_INTERVAL_MS } from '../../../actors/accounts/device-uses.ts';
import { DEVICES_PER_USER_MAX } from '../../../actors/accounts/registration.ts';
import type {
  AccountsProtocol,
  AuthBinding,
  LoggedIn,
  Registered,
} from '../../../actors/accounts/protocol.ts';
import type { InputOf, OutputOf } from '../../../actors/kit/protocol.ts';
import { PROFILE_BYTES_MAX } from '../../../actors/accounts/account-changes.ts';
import {
  findAccessToken,
  findAccount,
  findDevice,
  findDeviceIds,
  readDevices,
  readProfile,
} from '../../../db/accounts/reader.ts';
import { hashAccessToken } from '../../../db/accounts/token-hash.ts';
import { createFirstToken, logInDevice } from '../../../db/accounts/writer.ts';
import { accessTokenCache } from '../../../src/http/kit/access-token-cache.ts';
import { isRefusal, type Refusal } from '../../../src/matrix/refusal.ts';
import { NONCE_LIFETIME_MS } from '../../../actors/accounts/actor.ts';
import { type AccountsWorld, createAccountsWorld } from './accounts-world.ts';

type Register = InputOf<AccountsProtocol, 'accounts.register'>;

const ALICE = '@alice:example.org';
const BINDING: AuthBinding = { endpoint: 'POST /register', userId: null, parametersHash: 'h' };
const TOKEN_FLOWS = [['m.login.registration_token']];

/** The answer, which must not be a refusal. */
function got<Answer>(answer: Answer | Refusal): Answer {
  if (isRefusal(answer)) throw new Error(`refused: ${answer.errcode} ${answer.error}`);
  return answer;
}

describe('the accounts actor', () => {
  let world: AccountsWorld;

  beforeEach(async () => {
    world = await createAccountsWorld();
  });

  afterEach(() => world.close());

  async function tryRegister(overrides: Partial<Register> = {}) {
    return world.accounts.ask('accounts.register', {
      userId: ALICE,
      passwordHash: 'phc',
      isAdmin: false,
      displayname: null,
      registrationToken: null,
      device: { deviceId: 'FIRST', initialDeviceDisplayName: 'phone' },
      ...overrides,
    });
  }

  async function register(overrides: Partial<Register> = {}): Promise<Registered & { login: LoggedIn }> {
    const registered = got(await tryRegister(overrides));
    if (registered.login === null) throw new Error('not logged in');
    return { ...registered, login: registered.login };
  }

  async function logIn(deviceId: string | null): Promise<LoggedIn> {
    const wanted = { userId: ALICE, deviceId, initialDeviceDisplayName: null };
    return got(await world.accounts.ask('accounts.log-in', wanted));
  }

  async function sees(marks: OutputOf<AccountsProtocol, 'accounts.log-in'> | { marks: LoggedIn['marks'] }) {
    for (const { stream, position } of got(marks as LoggedIn).marks) {
      expect(await world.streams.reached(stream, position), stream).to.equal(true);
    }
  }

  const owner = (token: string) => findAccessToken(world.database.db, hashAccessToken(token));

  it('registers, with a device and a token that works', async () => {
    const { userId, login } = await register({ displayname: 'Alice' });
    expect(userId).to.equal(ALICE);
    expect(await owner(login.accessToken)).to.deep.include({ userId: ALICE, deviceId: 'FIRST' });
    expect(await readProfile(world.database.db, ALICE)).to.deep.include({ displayname: 'Alice' });
    expect(login.marks.map(({ stream }) => stream)).to.deep.equal(['caches', 'device-lists']);
    await sees(login);
  });

  it('generates names and device ids', async () => {
    const device = { deviceId: null, initialDeviceDisplayName: null };
    const [one, two] = await Promise.all([
      register({ userId: null, device }),
      register({ userId: null, device }),
    ]);
    expect(one.userId).to.match(/^@[a-z0-9]{12}:example\.org$/);
    expect(one.userId).to.not.equal(two.userId);
    expect(one.login.deviceId).to.match(/^[A-Z]{10}$/);
    expect(one.login.accessToken).to.match(/^troupe_[A-Za-z0-9]{43}$/);
  });

  it('gives a name to one of two who race for it', async () => {
    const answers = await Promise.all([
      tryRegister({ passwordHash: '1' }),
      tryRegister({ passwordHash: '2' }),
    ]);
    const refused = answers.filter(isRefusal);
    expect(refused).to.have.length(1);
    expect(refused[0]).to.deep.include({ errcode: 'M_USER_IN_USE', status: 400 });
    const winner = answers.findIndex((answer) => !isRefusal(answer));
    expect((await findAccount(world.database.db, ALICE))?.passwordHash).to.equal(String(winner + 1));
    expect(await findDeviceIds(world.database.db, ALICE)).to.deep.equal(['FIRST']);
  });

  it('makes no device when none is wanted', async () => {
    expect(got(await tryRegister({ device: null })).login).to.equal(null);
    expect(await findDeviceIds(world.database.db, ALICE)).to.deep.equal([]);
  });

  it('revokes the old token of a device that logs in again, here and in the caches', async () => {
    const { login } = await register();
    const tokenHash = hashAccessToken(login.accessToken);
    await sees(login);
    expect(await world.caches.get(accessTokenCache, tokenHash)).to.deep.include({ deviceId: 'FIRST' });
    const again = await logIn('FIRST');
    await sees(again);
    expect(world.caches.peek(accessTokenCache, tokenHash)).to.equal(undefined);
    expect(await owner(login.accessToken)).to.equal(undefined);
    expect(await owner(again.accessToken)).to.deep.include({ deviceId: 'FIRST' });
    expect(
      again.marks.map(({ stream }) => stream),
      'no new device',
    ).to.deep.equal(['caches']);
  });

  it('tells of a new device', async () => {
    await register();
    const login = await logIn('SECOND');
    expect(login.marks.map(({ stream }) => stream)).to.deep.equal(['device-lists']);
    await sees(login);
  });

  it('bounds the devices of a user', async () => {
    await register();
    const login = (deviceId: string) =>
      logInDevice({ userId: ALICE, deviceId, displayName: null, tokenHash: deviceId, now: 1 });
    const names = Array.from({ length: DEVICES_PER_USER_MAX - 1 }, (_, index) => `D${index}`);
    await world.database.write.write({ owner: 'accounts', steps: names.flatMap(login) });
    const wanted = { userId: ALICE, deviceId: 'NEW', initialDeviceDisplayName: null };
    const answer = await world.accounts.ask('accounts.log-in', wanted);
    expect(answer).to.deep.include({ errcode: 'M_FORBIDDEN' });
    await logIn('D7');
  });

  it('deletes devices with their tokens, in the caches before it answers', async () => {
    const { login } = await register();
    const second = await logIn('SECOND');
    const tokenHash = hashAccessToken(second.accessToken);
    await world.caches.get(accessTokenCache, tokenHash);
    const deviceIds = ['SECOND', 'SECOND', 'UNKNOWN'];
    const changed = got(await world.accounts.ask('accounts.delete-devices', { userId: ALICE, deviceIds }));
    expect(changed.marks.map(({ stream }) => stream)).to.deep.equal(['caches', 'device-lists']);
    await sees(changed);
    expect(world.caches.peek(accessTokenCache, tokenHash)).to.equal(undefined);
    expect(await owner(second.accessToken)).to.equal(undefined);
    expect(await owner(login.accessToken)).to.not.equal(undefined);
    const again = await world.accounts.ask('accounts.delete-devices', { userId: ALICE, deviceIds });
    expect(again).to.deep.equal({ kind: 'changed', marks: [] });
  });

  it('publishes a revocation later when the caches actor crashes on it', async () => {
    const { login } = await register();
    const tokenHash = hashAccessToken(login.accessToken);
    await world.caches.get(accessTokenCache, tokenHash);
    world.host.crashNext('caches');
    const changed = got(await world.accounts.ask('accounts.delete-all-devices', { userId: ALICE }));
    expect(changed.marks.map(({ stream }) => stream)).to.deep.equal(['device-lists']);
    await world.clock.advance(5_000);
    await world.host.idle();
    await world.clock.advance(5_000);
    await world.host.idle();
    expect(world.caches.peek(accessTokenCache, tokenHash)).to.equal(undefined);
  });

  it('logs out everywhere', async () => {
    const { login } = await register();
    const second = await logIn(null);
    await sees(got(await world.accounts.ask('accounts.delete-all-devices', { userId: ALICE })));
    expect(await Promise.all([owner(login.accessToken), owner(second.accessToken)])).to.deep.equal([
      undefined,
      undefined,
    ]);
    expect(await findDeviceIds(world.database.db, ALICE)).to.deep.equal([]);
  });

  it('changes a password and keeps one device, or all', async () => {
    await register();
    await logIn('SECOND');
    const change = { userId: ALICE, passwordHash: 'new', onlyDeviceToKeep: null };
    got(await world.accounts.ask('accounts.change-password', change));
    expect(await findDeviceIds(world.database.db, ALICE)).to.deep.equal(['FIRST', 'SECOND']);
    const keep = { ...change, passwordHash: 'newer', onlyDeviceToKeep: 'SECOND' };
    got(await world.accounts.ask('accounts.change-password', keep));
    expect(await findDeviceIds(world.database.db, ALICE)).to.deep.equal(['SECOND']);
    expect((await findAccount(world.database.db, ALICE))?.passwordHash).to.equal('newer');
  });

  it('deactivates for ever', async () => {
    const { login } = await register({ displayname: 'Alice' });
    got(await world.accounts.ask('accounts.deactivate', { userId: ALICE, erase: true }));
    expect(await owner(login.accessToken)).to.equal(undefined);
    expect(await readProfile(world.database.db, ALICE)).to.deep.include({ displayname: null });
    const deactivated = { errcode: 'M_USER_DEACTIVATED', status: 403 };
    const device = { userId: ALICE, deviceId: 'X', initialDeviceDisplayName: null };
    expect(await world.accounts.ask('accounts.log-in', device)).to.deep.include(deactivated);
    const change = { userId: ALICE, passwordHash: 'new', onlyDeviceToKeep: null };
    expect(await world.accounts.ask('accounts.change-password', change)).to.deep.include(deactivated);
    expect(await tryRegister()).to.deep.include({ errcode: 'M_USER_IN_USE' });
  });

  it('writes display name and avatar into the rooms, and nothing else', async () => {
    await register();
    const set = (field: string, valueJson: string | null) =>
      world.accounts.ask('accounts.set-profile-field', { userId: ALICE, field, valueJson });
    await sees(got(await set('displayname', '"Alice"')));
    got(await set('avatar_url', '"mxc://x/y"'));
    got(await set('m.tz', '"Europe/Berlin"'));
    got(await set('displayname', null));
    expect(world.profileUpdates).to.deep.equal([
      { userId: ALICE, displayname: 'Alice', avatarUrl: null },
      { userId: ALICE, displayname: 'Alice', avatarUrl: 'mxc://x/y' },
      { userId: ALICE, displayname: null, avatarUrl: 'mxc://x/y' },
    ]);
    const tooLarge = JSON.stringify('x'.repeat(PROFILE_BYTES_MAX - 50));
    expect(await set('org.example.x', tooLarge)).to.deep.include({ errcode: 'M_PROFILE_TOO_LARGE' });
    expect(await set('org.example.x', '"y"')).to.deep.include({ kind: 'changed' });
  });

  it('renames devices, but not those that do not exist', async () => {
    await register();
    const rename = (deviceId: string) =>
      world.accounts.ask('accounts.rename-device', { userId: ALICE, deviceId, displayName: 'tablet' });
    got(await rename('FIRST'));
    expect(await findDevice(world.database.db, ALICE, 'FIRST')).to.deep.include({ displayName: 'tablet' });
    expect(await rename('SECOND')).to.deep.include({ errcode: 'M_NOT_FOUND', status: 404 });
  });

  it('writes the last use of a device once in a while', async () => {
    await register();
    const use = { userId: ALICE, deviceId: 'FIRST', ip: '::1', userAgent: 'x' };
    const lastSeen = async () => (await readDevices(world.database.db, ALICE))[0]?.lastSeenTs;
    for (let count = 0; count < 100; count += 1) world.accounts.tell('accounts.note-use', use);
    await world.host.idle();
    expect(await lastSeen()).to.equal(null);
    const usedAt = world.clock.now();
    await world.clock.advance(USES_FLUSH_INTERVAL_MS);
    await world.host.idle();
    expect(await lastSeen()).to.equal(usedAt);
  });

  it('hands out each nonce once, for a while', async () => {
    const { nonce } = await world.accounts.ask('accounts.issue-nonce', null);
    const take = (given: string) => world.accounts.ask('accounts.take-nonce', { nonce: given });
    expect(await take(nonce)).to.deep.equal({ known: true });
    expect(await take(nonce)).to.deep.equal({ known: false });
    const late = await world.accounts.ask('accounts.issue-nonce', null);
    await world.clock.advance(NONCE_LIFETIME_MS);
    expect(await take(late.nonce)).to.deep.equal({ known: false });
  });

  describe('the first token', () => {
    const first = async () => {
      const answer = got(await world.accounts.ask('accounts.first-token', null));
      return answer?.token ?? null;
    };

    it('stays the same until there is an admin, over restarts too', async () => {
      const [token, same] = await Promise.all([first(), first()]);
      expect(token).to.match(/^[A-Za-z0-9]{24}$/);
      expect(same).to.equal(token);
      await world.host.restart('accounts');
      expect(await first()).to.equal(token);
      await register({ userId: '@plain:example.org' });
      expect(await first()).to.equal(token);
      await register({ registrationToken: token });
      expect((await findAccount(world.database.db, ALICE))?.isAdmin).to.equal(true);
      expect(await first()).to.equal(null);
      const again = await tryRegister({ userId: '@b:example.org', registrationToken: token });
      expect(again).to.deep.include({ errcode: 'M_FORBIDDEN', status: 403 });
    });

    it('is not made where there are accounts', async () => {
      await register();
      expect(await first()).to.equal(null);
    });

    it('makes one admin of two who race with it', async () => {
      const token = await first();
      const answers = await Promise.all(
        ['@a:example.org', '@b:example.org'].map((userId) =>
          tryRegister({ userId, registrationToken: token }),
        ),
      );
      expect(answers.filter(isRefusal)).to.have.length(1);
    });
  });

  it('does not write secrets into the log when it crashes', async () => {
    world.host.crashNext('accounts');
    const failure = await tryRegister({
      passwordHash: 'secret-phc',
      registrationToken: 'secret-token',
    }).catch((error: unknown) => String(error));
    expect(failure).to.include('stopped');
    await world.host.idle();
    expect(world.logged.text()).to.include('accounts.register').and.include(ALICE).and.not.include('secret');
  });

  it('counts the uses of a registration token that sessions hold', async () => {
    await world.database.write.write({ owner: 'accounts', steps: createFirstToken('once', 1) });
    const stage = { type: 'm.login.registration_token' as const, token: 'once' };
    const flows = [['m.login.registration_token', 'm.login.dummy']];
    const advance = (step: Partial<InputOf<AccountsProtocol, 'accounts.advance-auth'>>) =>
      world.accounts.ask('accounts.advance-auth', { session: null, binding: BINDING, flows, stage, ...step });
    const held = await advance({});
    expect(held).to.deep.include({ kind: 'challenge', completed: [stage.type], problem: null });
    expect(await advance({})).to.deep.include({ completed: [], problem: 'registration-token' });
    const check = () => world.accounts.ask('accounts.check-registration-token', { token: 'once' });
    expect(await check()).to.deep.equal({ valid: false });
    const session = held.kind === 'challenge' ? held.session : null;
    const passed = await advance({ session, stage: { type: 'm.login.dummy' } });
    expect(passed).to.deep.equal({ kind: 'passed', registrationToken: 'once' });
    expect(await check()).to.deep.equal({ valid: true });
    const wrong = await advance({ flows: TOKEN_FLOWS, stage: { ...stage, token: 'wrong' } });
    expect(wrong).to.deep.include({ completed: [], problem: 'registration-token' });
  });
});
