import { expect } from 'chai';
import type { JsonObject } from '../../../../../src/kit/json.ts';
import { pathOf } from '../../../../support/http-client.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';

const CLIENT = '/_matrix/client/v3';

describe('POST /_matrix/client/v3/rooms/{roomId}/upgrade', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let room: string;

  beforeEach(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
    room = await alice.room({
      preset: 'public_chat',
      room_version: '11',
      room_alias_name: 'tea',
      name: 'Tea',
    });
    await bob.act('join', room);
  });
  afterEach(() => world.stop());

  const codeOf = async (person: Person, body: unknown, roomId = room, base = CLIENT): Promise<string> => {
    const answer = await person.http.post(base + pathOf`/rooms/${roomId}/upgrade`, body);
    return answer.status === 200 ? '200' : `${answer.status} ${(answer.body as Answer).errcode}`;
  };
  const upgrade = async (body: JsonObject): Promise<string> =>
    (await alice.post(pathOf`/rooms/${room}/upgrade`, body)).replacement_room;

  for (const [body, expected] of [
    [{}, '400 M_MISSING_PARAM'],
    [{ new_version: 12 }, '400 M_BAD_JSON'],
    [{ new_version: '999' }, '400 M_UNSUPPORTED_ROOM_VERSION'],
    [{ new_version: '12', additional_creators: 'x' }, '400 M_BAD_JSON'],
    [{ new_version: '12', additional_creators: [7] }, '400 M_BAD_JSON'],
    [{ new_version: '12', additional_creators: ['bob'] }, '400 M_INVALID_PARAM'],
  ] as const)
    it(`8.6 refuses ${JSON.stringify(body)} with ${expected} and does nothing`, async () => {
      expect(await codeOf(alice, body)).to.equal(expected);
      expect((await alice.get('/joined_rooms')).joined_rooms).to.deep.equal([room]);
      expect((await bob.get(pathOf`/directory/room/${'#tea:example.org'}`)).room_id).to.equal(room);
    });

  it('refuses whoever may not close the room', async () => {
    const carol = await world.person('carol');
    expect(await codeOf(bob, { new_version: '12' })).to.equal('403 M_FORBIDDEN');
    expect(await codeOf(carol, { new_version: '12' })).to.equal('403 M_FORBIDDEN');
    expect(await codeOf(alice, { new_version: '12' }, '!none:example.org')).to.equal('403 M_FORBIDDEN');
  });

  it('replaces the room for those who sync', async () => {
    await alice.next();
    await bob.next();
    const next = await upgrade({ new_version: '12', additional_creators: [bob.userId] });
    const ofBob = (await bob.next()).rooms.join[room];
    const tombstone = ofBob.timeline.events.find((event: Answer) => event.type === 'm.room.tombstone');
    expect(tombstone.content.replacement_room).to.equal(next);
    const ofAlice = (await alice.next()).rooms.join;
    expect(Object.keys(ofAlice).toSorted()).to.deep.equal([room, next].toSorted());
    const create = await alice.get(pathOf`/rooms/${next}/state/m.room.create`);
    expect(create).to.deep.include({ predecessor: { room_id: room }, additional_creators: [bob.userId] });
    expect(await alice.get(pathOf`/rooms/${next}/state/m.room.name`)).to.deep.equal({ name: 'Tea' });
    expect((await bob.get(pathOf`/directory/room/${'#tea:example.org'}`)).room_id).to.equal(next);
    await bob.act('join', next);
    await bob.say(next, 'here');
    const late = bob.http.put(CLIENT + pathOf`/rooms/${room}/send/m.room.message/late`, { body: 'x' });
    expect((await late).status).to.equal(403);
  });

  it('ignores additional creators where there are none', async () => {
    const next = await upgrade({ new_version: '11', additional_creators: ['bob'] });
    const create = await alice.get(pathOf`/rooms/${next}/state/m.room.create`);
    expect(create).not.to.have.property('additional_creators');
    expect(create.predecessor.event_id).to.match(/^\$/);
    expect(await codeOf(alice, { new_version: '10' }, next, '/_matrix/client/r0')).to.equal('200');
  });

  it('lets tags and direct chats follow', async () => {
    const path = (person: Person, rest: string): string => pathOf`/user/${person.userId}` + rest;
    const tags = (person: Person, roomId: string) => person.get(path(person, pathOf`/rooms/${roomId}/tags`));
    const direct = (person: Person) => person.get(path(person, '/account_data/m.direct'));
    for (const person of [alice, bob]) {
      await person.put(path(person, pathOf`/rooms/${room}/tags/m.favourite`), { order: 0.1 });
      await person.put(path(person, '/account_data/m.direct'), { '@x:example.org': [room] });
    }
    const next = await upgrade({ new_version: '12' });
    await world.host.idle();
    const followed = [{ tags: { 'm.favourite': { order: 0.1 } } }, { '@x:example.org': [room, next] }];
    expect([await tags(alice, next), await direct(alice)]).to.deep.equal(followed);
    expect(await tags(bob, next)).to.deep.equal({ tags: {} });
    await bob.act('join', next);
    await world.host.idle();
    expect([await tags(bob, next), await direct(bob)]).to.deep.equal(followed);
    expect((await tags(alice, room)).tags).to.have.property('m.favourite');
  });
});
