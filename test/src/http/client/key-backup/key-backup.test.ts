import { expect } from 'chai';
import { VERSIONS_MAX } from '../../../../../db/key-backup/writer.ts';
import { KEYS_BODY_BYTES_MAX } from '../../../../../src/http/client/key-backup/store-keys.ts';
import type { Json, JsonObject } from '../../../../../src/kit/json.ts';
import { type HttpAnswer, pathOf } from '../../../../support/http-client.ts';
import { openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';

const BASE = '/_matrix/client/v3/room_keys';
const ALGORITHM = 'm.megolm_backup.v1.curve25519-aes-sha2';
const ROOM = '!a:example.org';
const OTHER_ROOM = '!b';
const SLASHED = 'a+b/c=';

const session = (first: number, forwarded: number, isVerified: boolean, mac = 'x'): JsonObject => ({
  first_message_index: first,
  forwarded_count: forwarded,
  is_verified: isVerified,
  session_data: { ciphertext: 'c', ephemeral: 'e', mac },
});

const outcomeOf = (answer: HttpAnswer): string => {
  const code = (answer.body as JsonObject)['errcode'];
  return typeof code === 'string' ? `${answer.status} ${code}` : String(answer.status);
};

describe('key backups', () => {
  let world: SyncWorld;
  let alice: Person;
  let users = 0;

  before(async () => {
    world = await openSyncWorld();
  });
  beforeEach(async () => {
    users += 1;
    alice = await world.person(`alice${users}`);
  });
  after(() => world.stop());

  const create = async (person = alice, authData: JsonObject = { public_key: 'p' }): Promise<string> => {
    const answer = await person.http.post(`${BASE}/version`, { algorithm: ALGORITHM, auth_data: authData });
    return (answer.body as { version: string }).version;
  };
  const about = async (version: string): Promise<Json> =>
    (await alice.http.get(`${BASE}/version/${version}`)).body;
  const keysPath = (...ids: readonly string[]): string =>
    [`${BASE}/keys`, ...ids.map(encodeURIComponent)].join('/');
  const put = (version: string, body: unknown, ...ids: readonly string[]) =>
    alice.http.put(keysPath(...ids), body, { query: { version } });
  const get = (version: string, ...ids: readonly string[]) =>
    alice.http.get(keysPath(...ids), { query: { version } });
  const remove = (version: string, ...ids: readonly string[]) =>
    alice.http.delete(keysPath(...ids), { query: { version } });

  it('have versions: the newest is the current one', async () => {
    expect(outcomeOf(await alice.http.get(`${BASE}/version`))).to.equal('404 M_NOT_FOUND');
    const first = await create();
    const second = await create(alice, { public_key: 'q' });
    expect([first, second]).to.deep.equal(['1', '2']);
    const current = {
      algorithm: ALGORITHM,
      auth_data: { public_key: 'q' },
      count: 0,
      etag: '0',
      version: '2',
    };
    expect((await alice.http.get(`${BASE}/version`)).body).to.deep.equal(current);
    expect(await about(first)).to.deep.include({ version: '1', auth_data: { public_key: 'p' } });
    for (const version of ['3', '0', '01', 'x', '1e0', '9'.repeat(30)])
      expect(outcomeOf(await alice.http.get(`${BASE}/version/${version}`)), version).to.equal(
        '404 M_NOT_FOUND',
      );
    const bob = await world.person(`bob${users}`);
    expect(outcomeOf(await bob.http.get(`${BASE}/version/1`))).to.equal('404 M_NOT_FOUND');
  });

  it('change the data of a version, and nothing else of it', async () => {
    const version = await create();
    const update = (body: object, of = version) => alice.http.put(`${BASE}/version/${of}`, body);
    const wanted = { algorithm: ALGORITHM, auth_data: { public_key: 'p', signatures: {} } };
    expect((await update({ ...wanted, version })).body).to.deep.equal({});
    expect(await about(version)).to.deep.include({ auth_data: wanted.auth_data, etag: '0', count: 0 });
    expect(outcomeOf(await update({ ...wanted, version: '2' }))).to.equal('400 M_INVALID_PARAM');
    expect(outcomeOf(await update({ ...wanted, algorithm: 'm.other' }))).to.equal('400 M_INVALID_PARAM');
    expect(outcomeOf(await update(wanted, '2'))).to.equal('404 M_NOT_FOUND');
    expect(outcomeOf(await update(wanted, 'x'))).to.equal('404 M_NOT_FOUND');
    const large = { ...wanted, auth_data: { text: 'x'.repeat(70_000) } };
    expect(outcomeOf(await update(large))).to.equal('413 M_TOO_LARGE');
    expect(outcomeOf(await alice.http.post(`${BASE}/version`, large))).to.equal('413 M_TOO_LARGE');
    expect(await about(version)).to.deep.include({ auth_data: wanted.auth_data });
  });

  it('end with their keys; their numbers never come back', async () => {
    const first = await create();
    const second = await create();
    await put(second, session(0, 0, true), ROOM, SLASHED);
    const end = (version: string) => alice.http.delete(`${BASE}/version/${version}`);
    expect((await end(second)).body).to.deep.equal({});
    expect(outcomeOf(await end(second)), 'again').to.equal('200');
    expect(outcomeOf(await end('3')), 'never there').to.equal('404 M_NOT_FOUND');
    expect(outcomeOf(await end('x'))).to.equal('404 M_NOT_FOUND');
    expect(outcomeOf(await get(second))).to.equal('404 M_NOT_FOUND');
    expect((await alice.http.get(`${BASE}/version`)).body, 'the one before').to.deep.include({
      version: first,
    });
    expect((await get(first)).body).to.deep.equal({ rooms: {} });
    await end(first);
    expect(outcomeOf(await alice.http.get(`${BASE}/version`))).to.equal('404 M_NOT_FOUND');
    expect(await create()).to.equal('3');
  });

  it('take keys of all rooms, of one, and of a session; and give them back likewise', async () => {
    const version = await create();
    const [one, two, three] = [session(0, 0, true), session(1, 2, false), session(3, 0, true)];
    const both = {
      rooms: { [ROOM]: { sessions: { [SLASHED]: one, two } }, [OTHER_ROOM]: { sessions: { three } } },
    };
    expect((await put(version, both)).body).to.deep.equal({ etag: '1', count: 3 });
    expect((await put(version, { sessions: { four: one } }, OTHER_ROOM)).body).to.deep.equal({
      etag: '2',
      count: 4,
    });
    expect((await put(version, two, OTHER_ROOM, SLASHED)).body).to.deep.equal({ etag: '3', count: 5 });
    expect((await get(version)).body).to.deep.equal({
      rooms: {
        [ROOM]: { sessions: { [SLASHED]: one, two } },
        [OTHER_ROOM]: { sessions: { three, four: one, [SLASHED]: two } },
      },
    });
    expect((await get(version, ROOM)).body).to.deep.equal({ sessions: { [SLASHED]: one, two } });
    expect((await get(version, ROOM, SLASHED)).body).to.deep.equal(one);
    expect((await get(version, '!unknown')).body).to.deep.equal({ sessions: {} });
    expect(outcomeOf(await get(version, ROOM, 'unknown'))).to.equal('404 M_NOT_FOUND');
    for (const ids of [[], [ROOM], [ROOM, SLASHED]])
      expect(outcomeOf(await get('2', ...ids)), 'no such version').to.equal('404 M_NOT_FOUND');
    expect(await about(version)).to.deep.include({ count: 5, etag: '3' });
  });

  it('lose keys of a session, of a room, and all', async () => {
    const version = await create();
    const sessions = { a: session(0, 0, true), b: session(0, 0, true), c: session(0, 0, true) };
    await put(version, { rooms: { [ROOM]: { sessions }, [OTHER_ROOM]: { sessions } } });
    expect((await remove(version, ROOM, 'b')).body).to.deep.equal({ etag: '2', count: 5 });
    expect((await remove(version, ROOM, 'b')).body, 'again').to.deep.equal({ etag: '2', count: 5 });
    expect((await remove(version, ROOM)).body).to.deep.equal({ etag: '3', count: 3 });
    expect((await get(version)).body).to.deep.equal({ rooms: { [OTHER_ROOM]: { sessions } } });
    expect((await remove(version)).body).to.deep.equal({ etag: '4', count: 0 });
    expect((await remove(version)).body, 'again').to.deep.equal({ etag: '4', count: 0 });
    expect((await get(version)).body).to.deep.equal({ rooms: {} });
    expect((await put(version, { sessions }, ROOM)).body).to.deep.equal({ etag: '5', count: 3 });
    for (const ids of [[], [ROOM], [ROOM, 'a']])
      for (const unknown of ['7', 'x'])
        expect(outcomeOf(await remove(unknown, ...ids))).to.equal('404 M_NOT_FOUND');
  });

  it('keep the better of two keys, whichever comes first', async () => {
    const version = await create();
    const ranked = [
      session(0, 0, true, '1'),
      session(0, 3, true, '2'),
      session(5, 0, true, '3'),
      session(0, 0, false, '4'),
      session(0, 1, false, '5'),
      session(9, 0, false, '6'),
    ];
    for (const [better, good] of ranked.entries())
      for (const [worse, bad] of ranked.entries()) {
        if (better >= worse) continue;
        const id = `${better}-${worse}`;
        const before = (await put(version, { sessions: { [`${id}-up`]: bad, [`${id}-down`]: good } }, ROOM))
          .body;
        const { etag, count } = before as { etag: string; count: number };
        expect((await put(version, bad, ROOM, `${id}-down`)).body, id).to.deep.equal({ etag, count });
        const after = { etag: String(Number(etag) + 1), count };
        expect((await put(version, good, ROOM, `${id}-up`)).body, id).to.deep.equal(after);
        expect((await get(version, ROOM, `${id}-up`)).body).to.deep.equal(good);
        expect((await get(version, ROOM, `${id}-down`)).body).to.deep.equal(good);
      }
    const other = session(0, 0, true, 'equal, but later');
    await put(version, ranked[0], ROOM, 'equal');
    await put(version, other, ROOM, 'equal');
    expect((await get(version, ROOM, 'equal')).body).to.deep.equal(ranked[0]);
  });

  it('write to the current version alone', async () => {
    const key = session(0, 0, true);
    for (const ids of [[], [ROOM], [ROOM, 's']]) {
      const body = ids.length === 0 ? { rooms: {} } : ids.length === 1 ? { sessions: {} } : key;
      expect(outcomeOf(await put('1', body, ...ids)), 'no backup').to.equal('404 M_NOT_FOUND');
    }
    const first = await create();
    await put(first, key, ROOM, 's');
    const second = await create();
    const third = await create();
    const wrong = await put(first, key, ROOM, 't');
    expect(outcomeOf(wrong)).to.equal('403 M_WRONG_ROOM_KEYS_VERSION');
    expect(wrong.body).to.deep.include({ current_version: third });
    expect((await get(first)).body, 'an old one is read').to.deep.equal({
      rooms: { [ROOM]: { sessions: { s: key } } },
    });
    await alice.http.delete(`${BASE}/version/${second}`);
    const deleted = await put(second, { rooms: {} });
    expect(outcomeOf(deleted)).to.equal('403 M_WRONG_ROOM_KEYS_VERSION');
    expect(outcomeOf(await put('17', key, ROOM, 't'))).to.equal('404 M_NOT_FOUND');
    expect(outcomeOf(await alice.http.put(keysPath(), { rooms: {} }))).to.equal('400 M_MISSING_PARAM');
    expect((await remove(first, ROOM, 's')).body, 'an old one loses keys').to.deep.equal({
      etag: '2',
      count: 0,
    });
  });

  it('refuse what is no key, and what is too much', async () => {
    const version = await create();
    const key = session(0, 0, true);
    for (const bad of [
      { ...key, first_message_index: -1 },
      { ...key, first_message_index: 1.5 },
      { ...key, forwarded_count: '0' },
      { ...key, is_verified: 1 },
      { ...key, session_data: 'x' },
      {},
    ])
      expect((await put(version, bad, ROOM, 's')).status, JSON.stringify(bad)).to.equal(400);
    const long = 'x'.repeat(256);
    expect(outcomeOf(await put(version, key, ROOM, long))).to.equal('400 M_INVALID_PARAM');
    expect(outcomeOf(await put(version, { rooms: { [long]: { sessions: { s: key } } } }))).to.equal(
      '400 M_INVALID_PARAM',
    );
    expect(outcomeOf(await put(version, { rooms: { '': { sessions: { s: key } } } }))).to.equal(
      '400 M_INVALID_PARAM',
    );
    const large = { ...key, session_data: { text: 'x'.repeat(70_000) } };
    expect(outcomeOf(await put(version, large, ROOM, 's'))).to.equal('413 M_TOO_LARGE');
    const tooLarge = `{"rooms":{},"x":"${'x'.repeat(KEYS_BODY_BYTES_MAX)}"}`;
    const sent = await alice.http.request('PUT', keysPath(), { rawBody: tooLarge, query: { version } });
    expect(outcomeOf(sent)).to.equal('413 M_TOO_LARGE');
    expect(await about(version)).to.deep.include({ count: 0, etag: '0' });
    for (let made = 1; made < VERSIONS_MAX; made += 1) await create();
    const more = await alice.http.post(`${BASE}/version`, { algorithm: ALGORITHM, auth_data: {} });
    expect(outcomeOf(more)).to.equal('403 M_FORBIDDEN');
    await alice.http.delete(`${BASE}/version/${version}`);
    expect(await create(), 'a refused one takes no number').to.equal(String(VERSIONS_MAX + 1));
  });

  it('store and give ten thousand keys at once', async () => {
    const version = await create();
    const rooms = Array.from({ length: 10 }, (_, room) => [
      `!room${room}`,
      {
        sessions: Object.fromEntries(
          Array.from({ length: 1_000 }, (__, index) => [
            `s${index}`,
            session(index, 0, true, 'x'.repeat(600)),
          ]),
        ),
      },
    ]);
    const body = { rooms: Object.fromEntries(rooms) as JsonObject };
    expect((await put(version, body)).body).to.deep.equal({ etag: '1', count: 10_000 });
    expect((await get(version)).body).to.deep.equal(body);
    expect((await remove(version, '!room3')).body).to.deep.include({ count: 9_000 });
    expect((await remove(version)).body).to.deep.include({ count: 0 });
  });

  it('are found under their old paths', async () => {
    const version = await create();
    await put(version, session(0, 0, true), ROOM, SLASHED);
    for (const prefix of ['unstable', 'r0']) {
      const base = `/_matrix/client/${prefix}/room_keys`;
      expect((await alice.http.get(`${base}/version`)).body).to.deep.include({ version });
      const path = base + pathOf`/keys/${ROOM}/${SLASHED}`;
      expect((await alice.http.get(path, { query: { version } })).body).to.deep.equal(session(0, 0, true));
    }
  });
});
