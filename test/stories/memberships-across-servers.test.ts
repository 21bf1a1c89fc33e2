import { expect } from 'chai';
import type { JsonObject } from '../../src/kit/json.ts';
import { createHttpClient, pathOf } from '../support/http-client.ts';
import type { InProcessProgram } from '../support/in-process-program.ts';
import { eventually, okBody, type Person, register } from '../support/person.ts';
import { type Cluster, startInProcessCluster } from '../support/troupe-cluster.ts';

const STORY_TIMEOUT_MS = 60_000;
const PATIENCE_MS = 10_000;
const CLIENT = '/_matrix/client/v3';

/** The members of a room with one membership, as a person sees them. */
async function membersOf(person: Person, roomId: string, membership = 'join'): Promise<readonly string[]> {
  const path = `${CLIENT}${pathOf`/rooms/${roomId}`}/members`;
  const body = okBody(await person.http.get(path, { query: { membership } }), 'members');
  return (body['chunk'] as unknown as { state_key: string }[]).map((event) => event.state_key).toSorted();
}

/** Looks until a person sees something. */
const seen = <T>(person: Person, what: string, look: () => Promise<T | undefined>): Promise<T> =>
  eventually(`${what}, as ${person.userId} sees it`, look, PATIENCE_MS);

const whenIn = (person: Person, roomId: string, userId: string, membership = 'join') =>
  seen(person, `${userId} ${membership}`, async () =>
    (await membersOf(person, roomId, membership)).includes(userId) ? true : undefined,
  );

async function setState(person: Person, roomId: string, type: string, content: JsonObject): Promise<void> {
  okBody(await person.http.put(`${CLIENT}${pathOf`/rooms/${roomId}/state/${type}`}/`, content), type);
}

/** What a sync shows of a room that somebody is invited to or knocks on. */
async function strippedTypes(
  person: Person,
  roomId: string,
  section: 'invite' | 'knock',
): Promise<readonly string[] | undefined> {
  const rooms = (await person.sync()).rooms as Readonly<Record<string, JsonObject>> | undefined;
  const room = rooms?.[section]?.[roomId] as JsonObject | undefined;
  const state = room?.[`${section}_state`] as { events: { type: string }[] } | undefined;
  return state?.events.map(({ type }) => type);
}

describe('memberships across two servers', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let cluster: Cluster<InProcessProgram>;
  let ann: Person;
  let abe: Person;
  let ben: Person;
  let bea: Person;
  let names: readonly string[];

  before(async () => {
    cluster = await startInProcessCluster();
    names = cluster.members.map(({ serverName }) => serverName);
    const [one, other] = cluster.members.map(({ server }) => createHttpClient(server.address));
    if (one === undefined || other === undefined) throw new Error('two servers were asked for');
    [ann, abe] = [await register(one, 'ann'), await register(one, 'abe')];
    [ben, bea] = [await register(other, 'ben'), await register(other, 'bea')];
  });
  after(async () => {
    for (const person of [ann, abe, ben, bea]) person?.http.close();
    await cluster?.dispose();
  });

  const enter = (person: Person, verb: 'join' | 'knock', target: string, via: readonly string[]) =>
    person.http.post(`${CLIENT}/${verb}/${encodeURIComponent(target)}`, {}, { query: { via } });

  for (const version of ['1', '2', '6', '10', '11', '12'])
    it(`a room of version ${version} is joined through its server, and both see the other speak`, async () => {
      const roomId = await ann.createRoom({ preset: 'public_chat', room_version: version });
      okBody(await enter(ben, 'join', roomId, [names[0] ?? '']), 'join');
      expect(await membersOf(ben, roomId)).to.deep.equal([ann.userId, ben.userId]);
      await whenIn(ann, roomId, ben.userId);
      await ann.send(roomId, 'one', 'from here');
      await ben.send(roomId, 'two', 'from there');
      for (const person of [ann, ben])
        await seen(person, 'both messages', async () => {
          const texts = await person.readAll(roomId);
          return texts.includes('from here') && texts.includes('from there') ? true : undefined;
        });
      // The second of a server needs nobody.
      await bea.join(roomId);
      await whenIn(ann, roomId, bea.userId);
      await ben.leave(roomId);
      await whenIn(ann, roomId, ben.userId, 'leave');
    });

  it('an alias of another server leads into its room', async () => {
    const roomId = await ann.createRoom({ preset: 'public_chat', room_alias_name: 'tavern' });
    okBody(await enter(ben, 'join', `#tavern:${names[0] ?? ''}`, []), 'join');
    expect(await membersOf(ben, roomId)).to.deep.equal([ann.userId, ben.userId]);
    const unknown = await enter(ben, 'join', `#nowhere:${names[0] ?? ''}`, []);
    expect([unknown.status, unknown.body]).to.deep.include(404);
  });

  for (const version of ['1', '10', '12'])
    it(`who is invited to a room of version ${version} sees what it is, and comes in`, async () => {
      const roomId = await ann.createRoom({ name: 'Cellar', room_version: version });
      await ann.invite(roomId, ben.userId);
      const types = await seen(ben, 'the invite', () => strippedTypes(ben, roomId, 'invite'));
      expect(types).to.include.members([
        'm.room.create',
        'm.room.name',
        'm.room.join_rules',
        'm.room.member',
      ]);
      expect(await membersOf(ann, roomId, 'invite')).to.deep.equal([ben.userId]);
      await ben.join(roomId);
      await whenIn(ann, roomId, ben.userId);
      expect(await membersOf(ben, roomId)).to.deep.equal([ann.userId, ben.userId]);
    });

  it('a new room invites users of another server', async () => {
    const roomId = await ann.createRoom({ invite: [ben.userId, abe.userId], is_direct: true });
    await seen(ben, 'the invite', () => strippedTypes(ben, roomId, 'invite'));
    expect(await membersOf(ann, roomId, 'invite')).to.deep.equal([abe.userId, ben.userId].toSorted());
  });

  it('an invite is rejected, and one is taken back', async () => {
    const roomId = await ann.createRoom();
    await ann.invite(roomId, ben.userId);
    await seen(ben, 'the invite', () => strippedTypes(ben, roomId, 'invite'));
    await ben.leave(roomId);
    await whenIn(ann, roomId, ben.userId, 'leave');
    expect(await strippedTypes(ben, roomId, 'invite')).to.equal(undefined);
    await ann.invite(roomId, ben.userId);
    await seen(ben, 'the second invite', () => strippedTypes(ben, roomId, 'invite'));
    const kick = `${CLIENT}${pathOf`/rooms/${roomId}`}/kick`;
    okBody(await ann.http.post(kick, { user_id: ben.userId }), 'kick');
    await seen(ben, 'the end of the invite', async () =>
      (await strippedTypes(ben, roomId, 'invite')) === undefined ? true : undefined,
    );
    const refused = await enter(ben, 'join', roomId, [names[0] ?? '']);
    expect([refused.status, (refused.body as JsonObject)['errcode']]).to.deep.equal([403, 'M_FORBIDDEN']);
  });

  it('a knock is taken back, one is turned down, one is answered with an invite', async () => {
    const roomId = await ann.createRoom({ name: 'Gate' });
    await setState(ann, roomId, 'm.room.join_rules', { join_rule: 'knock' });
    const knock = async (): Promise<void> => {
      okBody(await enter(ben, 'knock', roomId, [names[0] ?? '']), 'knock');
      await whenIn(ann, roomId, ben.userId, 'knock');
    };
    await knock();
    expect(await strippedTypes(ben, roomId, 'knock')).to.include.members(['m.room.create', 'm.room.name']);
    await ben.leave(roomId);
    await whenIn(ann, roomId, ben.userId, 'leave');
    await knock();
    okBody(
      await ann.http.post(`${CLIENT}${pathOf`/rooms/${roomId}`}/kick`, { user_id: ben.userId }),
      'turning down',
    );
    await seen(ben, 'the end of the knock', async () =>
      (await strippedTypes(ben, roomId, 'knock')) === undefined ? true : undefined,
    );
    await knock();
    await ann.invite(roomId, ben.userId);
    await seen(ben, 'the invite', () => strippedTypes(ben, roomId, 'invite'));
    await ben.join(roomId);
    await whenIn(ann, roomId, ben.userId);
  });

  it('members of one room are let into another through the server that may let them in', async () => {
    const lobby = await ann.createRoom({ preset: 'public_chat' });
    const roomId = await ann.createRoom({ room_version: '10' });
    const allow = [{ type: 'm.room_membership', room_id: lobby }];
    await setState(ann, roomId, 'm.room.join_rules', { join_rule: 'restricted', allow });
    const refused = await enter(ben, 'join', roomId, [names[0] ?? '']);
    expect([refused.status, (refused.body as JsonObject)['errcode']]).to.deep.equal([403, 'M_FORBIDDEN']);
    for (const person of [ben, bea]) okBody(await enter(person, 'join', lobby, [names[0] ?? '']), 'lobby');
    await whenIn(ann, lobby, bea.userId);
    okBody(await enter(ben, 'join', roomId, [names[0] ?? '']), 'join');
    await whenIn(ann, roomId, ben.userId);
    // Nobody of the second server may invite: the first one has to let the next user in, though the second is in the room.
    await setState(ann, roomId, 'm.room.power_levels', { users: { [ann.userId]: 100 }, invite: 50 });
    await seen(ben, 'the power levels', async () => {
      const path = `${CLIENT}${pathOf`/rooms/${roomId}`}/state/m.room.power_levels/`;
      return okBody(await ben.http.get(path), 'levels')['invite'] === 50 ? true : undefined;
    });
    okBody(await enter(bea, 'join', roomId, []), 'join');
    await whenIn(ann, roomId, bea.userId);
    expect(await membersOf(ben, roomId)).to.include(bea.userId);
  });

  it('who may not come in is told why, and an unknown room is not found', async () => {
    const roomId = await ann.createRoom();
    const refused = await enter(ben, 'join', roomId, [names[0] ?? '']);
    expect([refused.status, (refused.body as JsonObject)['errcode']]).to.deep.equal([403, 'M_FORBIDDEN']);
    const unknown = await enter(ben, 'join', `!nowhere:${names[1] ?? ''}`, []);
    expect([unknown.status, (unknown.body as JsonObject)['errcode']]).to.deep.equal([404, 'M_NOT_FOUND']);
  });

  it('users of a server that comes into a room together all come in', async () => {
    const roomId = await ann.createRoom({ preset: 'public_chat' });
    const answers = await Promise.all(
      [ben, bea].map((person) => enter(person, 'join', roomId, [names[0] ?? ''])),
    );
    for (const answer of answers) okBody(answer, 'join');
    await whenIn(ann, roomId, ben.userId);
    await whenIn(ann, roomId, bea.userId);
    expect(await membersOf(bea, roomId)).to.deep.equal([ann.userId, bea.userId, ben.userId].toSorted());
  });
});
