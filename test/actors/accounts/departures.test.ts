import { expect } from 'chai';
import { DEPARTURE_RETRY_MS } from '../../../actors/accounts/departures.ts';
import { findAccountData, findFilter } from '../../../db/account-data/reader.ts';
import { findAccount, findErasedTs, readLeavingUserIds } from '../../../db/accounts/reader.ts';
import { defineQuery } from '../../../db/kit/query.ts';
import { step } from '../../../db/kit/write-set.ts';
import { readPushRules } from '../../../db/push-rules/reader.ts';
import { readThreadSubscribers } from '../../../db/thread-subscriptions/reader.ts';
import { isRefusal, refuse } from '../../../src/matrix/refusal.ts';
import { crossSigning } from '../../support/crypto-device.ts';
import { type AccountsWorld, createAccountsWorld } from './accounts-world.ts';

const ALICE = '@alice:example.org';

const insertUser = defineQuery<{ readonly userId: string }>({
  name: 'test.insert-leaving-user',
  sql: 'INSERT OR IGNORE INTO user_ids (user_id) VALUES (:userId)',
});
const insertRoom = defineQuery<{ readonly roomNid: number; readonly roomId: string }>({
  name: 'test.insert-left-room',
  sql: `INSERT INTO rooms (room_nid, room_id, room_version, creator) VALUES (:roomNid, :roomId, '11', '@c:example.org')`,
});
const insertMembership = defineQuery<{
  readonly userId: string;
  readonly roomNid: number;
  readonly membership: string;
}>({
  name: 'test.insert-active-membership',
  sql: `
    INSERT OR REPLACE INTO local_memberships (user_nid, room_nid, membership, event_nid, position, sender)
    SELECT user_nid, :roomNid, :membership, 1, 1, :userId FROM user_ids WHERE user_id = :userId`,
});

const countLeft = defineQuery<Record<string, never>, { readonly count: number }>({
  name: 'test.count-keys-left',
  sql: `
    SELECT (SELECT count(*) FROM key_backups) + (SELECT count(*) FROM key_backup_versions)
         + (SELECT count(*) FROM key_backup_sessions) + (SELECT count(*) FROM key_backup_leftovers)
         + (SELECT count(*) FROM cross_signing_keys) + (SELECT count(*) FROM signature_changes) AS count`,
});

describe('departures of deactivated users', () => {
  let world: AccountsWorld;

  beforeEach(async () => {
    world = await createAccountsWorld({}, [insertUser, insertRoom, insertMembership, countLeft]);
    const registered = await world.accounts.ask('accounts.register', {
      userId: ALICE,
      passwordHash: 'phc',
      isAdmin: false,
      displayname: null,
      registrationToken: null,
      device: null,
    });
    if (isRefusal(registered)) throw new Error(registered.error);
  });

  afterEach(() => world.close());

  async function seed(memberships: readonly string[]): Promise<void> {
    const steps = memberships.flatMap((membership, index) => [
      step(insertRoom, { roomNid: index + 1, roomId: `!r${index}` }),
      step(insertMembership, { userId: ALICE, roomNid: index + 1, membership }),
    ]);
    const outcome = await world.database.write.write({
      owner: 'test',
      steps: [step(insertUser, { userId: ALICE }), ...steps],
    });
    expect(outcome.kind).to.equal('committed');
  }
  /** What the owner of rooms would do. */
  const leaveInDatabase: AccountsWorld['onLeave'] = async ({ roomId }) => {
    const roomNid = Number(roomId.slice(2)) + 1;
    const steps = [step(insertMembership, { userId: ALICE, roomNid, membership: 'leave' })];
    await world.database.write.write({ owner: 'test', steps });
    return { kind: 'sent', eventId: '$e', position: 1 };
  };
  async function deactivate(erase = false): Promise<void> {
    const answer = await world.accounts.ask('accounts.deactivate', { userId: ALICE, erase });
    if (isRefusal(answer)) throw new Error(answer.error);
  }
  const leaving = () => readLeavingUserIds(world.database.db, '', 10);
  const rooms = (): string[] => world.leaves.map(({ roomId }) => roomId).toSorted();

  it('leave rooms, reject invites and take back knocks, each once', async () => {
    await seed(['join', 'leave', 'invite', 'knock', 'ban', ...Array.from({ length: 40 }, () => 'join')]);
    world.onLeave = leaveInDatabase;
    await deactivate();
    await world.host.idle();
    expect(rooms()).to.have.length(43);
    expect(new Set(rooms())).to.have.property('size', 43);
    expect(rooms()).to.not.include.members(['!r1']);
    expect(world.leaves[0]).to.deep.include({ sender: ALICE, target: ALICE, action: 'leave' });
    expect(await leaving()).to.deep.equal([]);
  });

  it('do not try for ever where they are not let go', async () => {
    await seed(['join', 'join']);
    await deactivate();
    await world.host.idle();
    expect(rooms()).to.deep.equal(['!r0', '!r1']);
    expect(await leaving()).to.deep.equal([]);
    expect(world.logged.text()).to.include('could not leave rooms');
  });

  it('try again when the rooms do not answer, or cannot be written', async () => {
    await seed(['join']);
    world.onLeave = () => refuse('M_UNKNOWN', 'full', { status: 503 });
    await deactivate();
    await world.host.idle();
    expect(await leaving()).to.deep.equal([ALICE]);
    world.onLeave = leaveInDatabase;
    await world.clock.advance(DEPARTURE_RETRY_MS);
    await world.host.idle();
    expect(await leaving()).to.deep.equal([]);
    expect(rooms()).to.deep.equal(['!r0', '!r0']);
  });

  it('go on after a restart', async () => {
    await seed(['join', 'join']);
    world.onLeave = () => refuse('M_UNKNOWN', 'full', { status: 503 });
    await deactivate();
    await world.host.idle();
    world.onLeave = leaveInDatabase;
    await world.host.restart('accounts');
    await world.host.idle();
    expect(await leaving()).to.deep.equal([]);
    expect(rooms()).to.have.length(4);
  });

  it('take their key backups and cross-signing keys with them, erased or not', async () => {
    const { host, database } = world;
    const { masterKey, body } = crossSigning(ALICE);
    const usages = { master: body.master_key, self_signing: body.self_signing_key } as const;
    const keys = Object.entries(usages).map(([usage, key]) => ({
      usage: usage as keyof typeof usages,
      publicKey: usage === 'master' ? masterKey : (Object.values(key['keys'] as object)[0] as string),
      key: JSON.stringify(key),
    }));
    const backup = { userId: ALICE, algorithm: 'm.x', authData: '{}' };
    const session = {
      roomId: '!r',
      sessionId: 's',
      firstMessageIndex: 0,
      forwardedCount: 0,
      isVerified: true,
    };
    await host.ref('keys').ask('keys.store-cross-signing', { userId: ALICE, keys, isAuthorized: true });
    for (const version of [1, 2]) {
      await host.ref('key-backup').ask('key-backup.create-version', backup);
      await host.ref('key-backup').ask('key-backup.store-sessions', {
        userId: ALICE,
        version,
        sessions: [{ ...session, sessionData: '{}' }],
      });
    }
    const count = async () => (await database.db.all(countLeft, {}))[0]?.count;
    expect(await count()).to.equal(8);
    world.onLeave = leaveInDatabase;
    await deactivate();
    await host.idle();
    expect(await count(), 'versions, numbers, keys, signatures').to.equal(0);
    expect(await leaving()).to.deep.equal([]);
  });

  it('take their subscriptions to threads with them, erased or not', async () => {
    const { host, database } = world;
    const thread = { roomId: '!r', rootId: '$root' };
    const subscribe = (userId: string) =>
      host
        .ref('thread-subscriptions')
        .ask('thread-subscriptions.subscribe', { userId, ...thread, causePlace: null });
    await subscribe(ALICE);
    await subscribe('@bob:example.org');
    world.onLeave = leaveInDatabase;
    await deactivate();
    await host.idle();
    expect(await readThreadSubscribers(database.db, thread.roomId, thread.rootId)).to.deep.equal([
      '@bob:example.org',
    ]);
  });

  it('erase account data, filters and push rules of who wants it, and keep those of who does not', async () => {
    const { host, database } = world;
    const set = (userId: string) =>
      host
        .ref('account-data')
        .ask('account-data.set-content', { userId, roomId: null, type: 'm.x', content: { a: 1 } });
    const filter = { userId: ALICE, filter: { room: {} } };
    const rule = { userId: ALICE, kind: 'override', ruleId: '.m.rule.master', enabled: true } as const;
    await set(ALICE);
    await set('@bob:example.org');
    await host.ref('account-data').ask('account-data.store-filter', filter);
    await host.ref('push-rules').ask('push-rules.set-enabled', rule);
    expect(await readPushRules(database.db, ALICE)).to.have.length(1);
    await deactivate(true);
    await world.host.idle();
    expect(await findAccountData(database.db, ALICE, null, 'm.x')).to.equal(undefined);
    expect(await findFilter(database.db, ALICE, 1)).to.equal(undefined);
    expect(await readPushRules(database.db, ALICE)).to.deep.equal([]);
    expect(await findAccountData(database.db, '@bob:example.org', null, 'm.x')).to.not.equal(undefined);
    expect(await findErasedTs(database.db, ALICE)).to.equal(
      (await findAccount(database.db, ALICE))?.deactivatedTs,
    );
    expect(await findErasedTs(database.db, '@bob:example.org')).to.equal(null);
  });
});
