import { expect } from 'chai';
import { deleteDevices as deleteAccountDevices } from '../../../../../db/accounts/writer.ts';
import { isRefusal } from '../../../../../src/matrix/refusal.ts';
import { answerSync } from '../../../../../src/sync/answer-sync.ts';
import { parseToken } from '../../../../../src/streams/token.ts';
import { emptySyncFilter } from '../../../../../src/matrix/sync-filter-parse.ts';
import { type CryptoDevice, cryptoDevice, crossSigning } from '../../../../support/crypto-device.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';

const CLIENT = '/_matrix/client/v3';

async function outcome(person: Person, path: string, body: unknown): Promise<string> {
  const answer = await person.http.post(`${CLIENT}${path}`, body);
  const { errcode } = answer.body as { errcode?: string };
  return errcode === undefined ? String(answer.status) : `${answer.status} ${errcode}`;
}

describe('encryption keys', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let phone: CryptoDevice;
  let desk: CryptoDevice;

  beforeEach(async () => {
    world = await openSyncWorld();
    [alice, bob] = [await world.person('alice'), await world.person('bob')];
    [phone, desk] = [alice, bob].map(({ userId, deviceId }) => cryptoDevice(userId, deviceId)) as [
      CryptoDevice,
      CryptoDevice,
    ];
  });
  afterEach(() => world.stop());

  const upload = (person: Person, body: object): Promise<Answer> => person.post('/keys/upload', body);
  const query = (person: Person, ...users: readonly Person[]): Promise<Answer> =>
    person.post('/keys/query', {
      device_keys: Object.fromEntries(users.map(({ userId }) => [userId, []])),
    });
  const claim = (person: Person, of: Person, algorithm = 'signed_curve25519'): Promise<Answer> =>
    person.post('/keys/claim', { one_time_keys: { [of.userId]: { [of.deviceId]: algorithm } } });
  const supplyOf = (answer: Answer): unknown[] => [
    answer.device_one_time_keys_count,
    answer.device_unused_fallback_key_types,
  ];

  describe('of devices', () => {
    it('are uploaded, queried with the name of the device, and counted', async () => {
      await alice.put(`/devices/${alice.deviceId}`, { display_name: 'Phone' });
      const body = { device_keys: phone.keys, one_time_keys: phone.oneTimeKeys(2) };
      expect(await upload(alice, body)).to.deep.equal({ one_time_key_counts: { signed_curve25519: 2 } });
      expect(await upload(alice, {})).to.deep.equal({ one_time_key_counts: { signed_curve25519: 2 } });
      const found = await query(bob, alice, bob);
      const stored = { ...phone.keys, unsigned: { device_display_name: 'Phone' } };
      expect(found.device_keys).to.deep.equal({
        [alice.userId]: { [alice.deviceId]: stored },
        [bob.userId]: {},
      });
      const only = await bob.post('/keys/query', {
        device_keys: { [alice.userId]: ['OTHER'], '@nobody:example.org': [], '@carol:elsewhere.example': [] },
      });
      expect(only.device_keys).to.deep.equal({ [alice.userId]: {}, '@nobody:example.org': {} });
      expect(only.failures).to.have.keys('elsewhere.example');
    });

    it('are checked', async () => {
      const path = '/keys/upload';
      const forged = { ...phone.keys, algorithms: ['m.other'] };
      expect(await outcome(alice, path, { device_keys: forged })).to.equal('400 M_INVALID_SIGNATURE');
      const another = cryptoDevice(alice.userId, 'OTHER').keys;
      expect(await outcome(alice, path, { device_keys: another })).to.equal('400 M_INVALID_PARAM');
      expect(await outcome(bob, path, { device_keys: phone.keys })).to.equal('400 M_INVALID_PARAM');
      expect(await outcome(alice, path, { device_keys: { user_id: 1 } })).to.equal('400 M_INVALID_PARAM');
      expect(await outcome(alice, path, { one_time_keys: { noColon: 'x' } })).to.equal('400 M_BAD_JSON');
      expect(await outcome(alice, path, { one_time_keys: { 'a:b': { key: 1 } } })).to.equal('400 M_BAD_JSON');
      await upload(alice, { device_keys: phone.keys });
      const later = cryptoDevice(alice.userId, alice.deviceId, 'later').keys;
      expect(await outcome(alice, path, { device_keys: later })).to.equal('400 M_INVALID_PARAM');
      expect(await outcome(alice, '/keys/query', { device_keys: { [alice.userId]: {} } })).to.equal(
        '400 M_BAD_JSON',
      );
    });

    it('are claimed, and the device is told in its long poll', async () => {
      const body = { one_time_keys: phone.oneTimeKeys(1), fallback_keys: phone.fallbackKey('F') };
      await upload(alice, body);
      // The first sync makes the user present, which is news for the next.
      await alice.next();
      await world.host.idle();
      const first = await alice.next();
      expect(supplyOf(first)).to.deep.equal([{ signed_curve25519: 1 }, ['signed_curve25519']]);
      const since = parseToken(first.next_batch);
      if (isRefusal(since)) throw new Error(since.error);
      const parked = world.parked();
      const poll = answerSync(world.services, {
        caller: alice,
        since,
        filter: emptySyncFilter(),
        fullState: false,
        stateForm: 'state',
        timeoutMs: 30_000,
        presence: 'online',
        aborted: new AbortController().signal,
      });
      await parked;
      const got = await claim(bob, alice);
      expect(got).to.deep.equal({
        one_time_keys: { [alice.userId]: { [alice.deviceId]: phone.oneTimeKeys(1) } },
        failures: {},
      });
      expect(supplyOf(JSON.parse((await poll).text))).to.deep.equal([
        { signed_curve25519: 0 },
        ['signed_curve25519'],
      ]);
      const fallback = (await claim(bob, alice)).one_time_keys[alice.userId][alice.deviceId];
      expect(fallback).to.deep.equal(phone.fallbackKey('F'));
      expect(supplyOf(await alice.next())).to.deep.equal([{ signed_curve25519: 0 }, []]);
      expect(await claim(bob, alice, 'other')).to.deep.equal({ one_time_keys: {}, failures: {} });
      expect(supplyOf(await bob.next()), 'of others').to.deep.equal([{ signed_curve25519: 0 }, []]);
    });

    it('end with the device: a later one of its id starts clean', async () => {
      const second = await world.device(alice);
      const tablet = cryptoDevice(alice.userId, second.deviceId);
      await upload(second, { device_keys: tablet.keys, one_time_keys: tablet.oneTimeKeys(3) });
      expect((await query(bob, alice)).device_keys[alice.userId]).to.have.keys(second.deviceId);
      await second.post('/logout');
      expect((await query(bob, alice)).device_keys[alice.userId]).to.deep.equal({});
      expect((await claim(bob, second)).one_time_keys).to.deep.equal({});
      await world.host.ref('accounts').ask('accounts.log-in', {
        userId: alice.userId,
        deviceId: second.deviceId,
        initialDeviceDisplayName: null,
      });
      expect((await query(bob, alice)).device_keys[alice.userId]).to.deep.equal({});
      expect((await claim(bob, second)).one_time_keys).to.deep.equal({});
    });

    it('end with the device even when the server crashed before it had deleted them', async () => {
      const { userId, deviceId } = alice;
      await upload(alice, { device_keys: phone.keys, one_time_keys: phone.oneTimeKeys(3) });
      const steps = deleteAccountDevices(userId, [deviceId]);
      await world.host.ref('committer').ask('committer.write', { owner: 'accounts', steps });
      expect((await query(bob, alice)).device_keys[userId]).to.deep.equal({});
      expect((await claim(bob, alice)).one_time_keys).to.deep.equal({});
      const device = { userId, deviceId, initialDeviceDisplayName: null };
      await world.host.ref('accounts').ask('accounts.log-in', device);
      expect((await query(bob, alice)).device_keys[userId]).to.deep.equal({});
      expect((await claim(bob, alice)).one_time_keys).to.deep.equal({});
    });

    it('reach those who share a room, by way of sync and of /keys/changes', async () => {
      const room = await alice.room();
      await bob.act('join', room);
      await Promise.all([alice.next(), bob.next()]);
      const { next_batch: from } = await bob.next();
      await upload(alice, { device_keys: phone.keys });
      const changed = await bob.next();
      expect(changed.device_lists.changed).to.deep.equal([alice.userId]);
      const changes = (since: string) => bob.get('/keys/changes', { from: since, to: changed.next_batch });
      expect(await changes(from)).to.deep.equal({ changed: [alice.userId], left: [] });
      await alice.act('leave', room);
      expect(await changes(from)).to.deep.equal({ changed: [], left: [alice.userId] });
      const { next_batch: apart } = await bob.next();
      await alice.act('join', room);
      expect(await changes(apart)).to.deep.equal({ changed: [alice.userId], left: [] });
      await bob.act('leave', room);
      expect(await changes(changed.next_batch)).to.deep.equal({ changed: [], left: [alice.userId] });
      const bad = await bob.http.get(`${CLIENT}/keys/changes`, { query: { from: 'x', to: 'y' } });
      expect(bad.status).to.equal(400);
    });
  });

  describe('of cross-signing', () => {
    const signingPath = '/keys/device_signing/upload';
    const withPassword = { type: 'm.login.password', password: 'correct horse' };

    async function setPassword(person: Person): Promise<void> {
      const hashed = await world.host.ref('pool').ask('pool.hash-password', { password: 'correct horse' });
      if (isRefusal(hashed)) throw new Error(hashed.error);
      await world.host.ref('accounts').ask('accounts.change-password', {
        userId: person.userId,
        passwordHash: hashed.hash,
        onlyDeviceToKeep: null,
      });
    }

    it('need no authentication the first time and when nothing changes; others do', async () => {
      await setPassword(alice);
      const probe = await alice.http.post('/_matrix/client/unstable/keys/device_signing/upload', {});
      expect(probe.status).to.equal(401);
      expect(probe.body).to.deep.include({ flows: [{ stages: ['m.login.password'] }] });
      const first = crossSigning(alice.userId);
      await alice.post(signingPath, first.body);
      await alice.post(signingPath, first.body);
      const second = crossSigning(alice.userId, 'second');
      expect(await outcome(alice, signingPath, second.body)).to.equal('401');
      expect((await query(alice, alice)).master_keys[alice.userId]).to.deep.equal(first.body.master_key);
      await alice.post(signingPath, { ...second.body, auth: withPassword });
      const { master_key, self_signing_key, user_signing_key } = second.body;
      const own = await query(alice, alice);
      expect(own.master_keys).to.deep.equal({ [alice.userId]: master_key });
      expect(own.self_signing_keys).to.deep.equal({ [alice.userId]: self_signing_key });
      expect(own.user_signing_keys).to.deep.equal({ [alice.userId]: user_signing_key });
      const foreign = await query(bob, alice);
      expect(foreign.master_keys).to.deep.equal({ [alice.userId]: master_key });
      expect(foreign.user_signing_keys).to.deep.equal({});
    });

    it('are checked', async () => {
      const own = crossSigning(alice.userId);
      const { master_key, self_signing_key } = own.body;
      const stranger = crossSigning(alice.userId, 'stranger').body;
      const said = (body: object) => outcome(alice, signingPath, body);
      expect(await said({ self_signing_key })).to.equal('400 M_MISSING_PARAM');
      expect(await said({ master_key, self_signing_key: stranger.self_signing_key })).to.equal(
        '400 M_INVALID_SIGNATURE',
      );
      expect(await said(crossSigning(bob.userId).body)).to.equal('400 M_INVALID_PARAM');
      expect(await said({ master_key: self_signing_key })).to.equal('400 M_INVALID_PARAM');
      expect(await said({ master_key: { ...master_key, keys: { 'ed25519:x': 'x' } } })).to.equal(
        '400 M_INVALID_PARAM',
      );
      const named = await world.host.ref('accounts').ask('accounts.log-in', {
        userId: alice.userId,
        deviceId: own.masterKey,
        initialDeviceDisplayName: null,
      });
      expect(isRefusal(named)).to.equal(false);
      expect(await said(own.body)).to.equal('403 M_FORBIDDEN');
    });

    it('signatures are verified, and seen by whom they concern', async () => {
      const [mine, his] = [crossSigning(alice.userId), crossSigning(bob.userId)];
      await upload(alice, { device_keys: phone.keys });
      await upload(bob, { device_keys: desk.keys });
      await alice.post(signingPath, mine.body);
      await bob.post(signingPath, his.body);
      const carol = await world.person('carol');
      for (const person of [alice, bob, carol]) await person.next();
      const other = await world.device(alice);
      await other.next();
      const signedPhone = mine.selfSign(phone.keys);
      const signedMaster = phone.sign(mine.body.master_key);
      const signedBob = mine.userSign(his.body.master_key);
      const answer = await alice.post('/keys/signatures/upload', {
        [alice.userId]: { [alice.deviceId]: signedPhone, [mine.masterKey]: signedMaster },
        [bob.userId]: { [his.masterKey]: signedBob, [bob.deviceId]: mine.userSign(desk.keys) },
        __proto__: {},
        '@x:example.org': { KEY: { user_id: '@x:example.org' } },
      });
      expect(answer.failures[bob.userId][bob.deviceId].errcode).to.equal('M_NOT_FOUND');
      expect(answer.failures['@x:example.org'].KEY.errcode).to.equal('M_NOT_FOUND');
      const seenBy = async (person: Person) => {
        const found = await query(person, alice, bob);
        return [
          found.device_keys[alice.userId][alice.deviceId],
          found.master_keys[alice.userId],
          found.master_keys[bob.userId],
        ];
      };
      expect(await seenBy(alice)).to.deep.equal([signedPhone, signedMaster, signedBob]);
      expect(await seenBy(bob)).to.deep.equal([signedPhone, signedMaster, his.body.master_key]);
      expect(await seenBy(carol)).to.deep.equal([signedPhone, signedMaster, his.body.master_key]);
      expect((await other.next()).device_lists.changed).to.have.members([alice.userId, bob.userId]);
      expect(await bob.next()).to.not.have.property('device_lists');
      await alice.post('/logout');
      expect((await query(bob, alice)).master_keys[alice.userId], 'what the device signed').to.deep.equal(
        mine.body.master_key,
      );
    });

    it('signatures that are wrong are told by user and key', async () => {
      const [mine, his] = [crossSigning(alice.userId), crossSigning(bob.userId)];
      await upload(alice, { device_keys: phone.keys });
      await alice.post(signingPath, mine.body);
      const told = async (keyId: string, signed: object): Promise<string> => {
        const answer = await alice.post('/keys/signatures/upload', { [alice.userId]: { [keyId]: signed } });
        return answer.failures[alice.userId]?.[keyId]?.errcode ?? 'none';
      };
      expect(await told(alice.deviceId, his.selfSign(phone.keys))).to.equal('M_INVALID_SIGNATURE');
      expect(await told(alice.deviceId, phone.keys), 'none of the self-signing key').to.equal(
        'M_INVALID_SIGNATURE',
      );
      const changed = mine.selfSign({ ...phone.keys, algorithms: [] });
      expect(await told(alice.deviceId, changed), 'another object').to.equal('M_INVALID_SIGNATURE');
      const signed = mine.selfSign(phone.keys) as { signatures: Record<string, Record<string, string>> };
      const broken = Object.fromEntries(
        Object.keys(signed.signatures[alice.userId] ?? {}).map((id) => [id, 'AAAA']),
      );
      expect(await told(alice.deviceId, { ...signed, signatures: { [alice.userId]: broken } })).to.equal(
        'M_INVALID_SIGNATURE',
      );
      expect((await query(bob, alice)).device_keys[alice.userId][alice.deviceId]).to.deep.equal(phone.keys);
      expect(await told(alice.deviceId, signed)).to.equal('none');
    });
  });
});

describe('names of devices', () => {
  it('are for their users alone when the configuration says so', async () => {
    const world = await openSyncWorld({ TROUPE_ENCRYPTION_SHARE_DEVICE_NAMES: 'false' });
    try {
      const [alice, bob] = [await world.person('alice'), await world.person('bob')];
      const { userId, deviceId } = alice;
      await alice.put(`/devices/${deviceId}`, { display_name: 'Phone' });
      await alice.post('/keys/upload', { device_keys: cryptoDevice(userId, deviceId).keys });
      const seenBy = async (person: Person): Promise<unknown> => {
        const found = await person.post('/keys/query', { device_keys: { [userId]: [deviceId] } });
        return found.device_keys[userId][deviceId].unsigned;
      };
      expect(await seenBy(alice)).to.deep.equal({ device_display_name: 'Phone' });
      expect(await seenBy(bob)).to.equal(undefined);
    } finally {
      await world.stop();
    }
  });
});
