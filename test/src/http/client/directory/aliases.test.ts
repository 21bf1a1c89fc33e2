import { expect } from 'chai';
import { pathOf } from '../../../../support/http-client.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';

const CLIENT = '/_matrix/client/v3';
const TEA = '#tea:example.org';

describe('the endpoints of aliases', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let room: string;

  beforeEach(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
    room = await alice.room();
  });
  afterEach(() => world.stop());

  const codeOf = async (
    answer: Promise<{ readonly status: number; readonly body: unknown }>,
  ): Promise<string> => {
    const { status, body } = await answer;
    return status === 200 ? '200' : `${status} ${(body as Answer).errcode}`;
  };
  const aliasPath = (alias: string): string => CLIENT + pathOf`/directory/room/${alias}`;
  const put = (person: Person, alias: string, body: unknown = { room_id: room }) =>
    codeOf(person.http.put(aliasPath(alias), body));
  const remove = (person: Person, alias: string) => codeOf(person.http.delete(aliasPath(alias)));
  const find = (alias: string) => codeOf(bob.http.get(aliasPath(alias)));
  const list = (person: Person, roomId = room) =>
    codeOf(person.http.get(CLIENT + pathOf`/rooms/${roomId}/aliases`));

  it('make an alias, list it, and take it away', async () => {
    expect(await put(alice, TEA)).to.equal('200');
    expect((await bob.get(pathOf`/directory/room/${TEA}`)).room_id).to.equal(room);
    expect(await put(alice, TEA)).to.equal('409 M_UNKNOWN');
    expect(await put(alice, '#ätherisch ♥:example.org')).to.equal('200');
    expect(await alice.get(pathOf`/rooms/${room}/aliases`)).to.deep.equal({
      aliases: [TEA, '#ätherisch ♥:example.org'],
    });
    await alice.put(pathOf`/rooms/${room}/state/m.room.canonical_alias`, { alias: TEA });
    expect(await remove(alice, TEA)).to.equal('200');
    expect(await find(TEA)).to.equal('404 M_NOT_FOUND');
    expect(await remove(alice, TEA)).to.equal('404 M_NOT_FOUND');
    expect(await alice.get(pathOf`/rooms/${room}/state/m.room.canonical_alias`)).to.deep.equal({});
  });

  const SOMEWHERE = { room_id: '!x:example.org' };
  for (const [alias, body, expected] of [
    ['tea:example.org', SOMEWHERE, '400 M_INVALID_PARAM'],
    ['#tea', SOMEWHERE, '400 M_INVALID_PARAM'],
    ['#:example.org', SOMEWHERE, '400 M_INVALID_PARAM'],
    ['#te\0a:example.org', SOMEWHERE, '400 M_INVALID_PARAM'],
    ['# tea:example.org', SOMEWHERE, '400 M_INVALID_PARAM'],
    [`#${'é'.repeat(122)}:example.org`, SOMEWHERE, '400 M_INVALID_PARAM'],
    ['#tea:other.example', SOMEWHERE, '400 M_INVALID_PARAM'],
    ['#tea:notexample.org', SOMEWHERE, '400 M_INVALID_PARAM'],
    [TEA, { room_id: 'x' }, '400 M_INVALID_PARAM'],
    [TEA, { room_id: 7 }, '400 M_BAD_JSON'],
    [TEA, {}, '400 M_MISSING_PARAM'],
    [TEA, SOMEWHERE, '403 M_FORBIDDEN'],
  ] as const)
    it(`refuse ${JSON.stringify(alias.slice(0, 20))} for ${JSON.stringify(body)} with ${expected}`, async () => {
      expect(await put(alice, alias, body)).to.equal(expected);
    });

  it('refuse to take away what is no alias of this server', async () => {
    expect(await remove(alice, '#tea:other.example')).to.equal('400 M_INVALID_PARAM');
    expect(await remove(alice, 'tea')).to.equal('400 M_INVALID_PARAM');
  });

  it('are for members; who made an alias may take it away', async () => {
    expect(await put(bob, TEA)).to.equal('403 M_FORBIDDEN');
    await bob.act('join', room);
    expect(await put(bob, TEA)).to.equal('200');
    expect(await put(alice, '#own:example.org')).to.equal('200');
    expect(await remove(bob, '#own:example.org')).to.equal('403 M_FORBIDDEN');
    expect(await find('#own:example.org')).to.equal('200');
    expect(await remove(bob, TEA)).to.equal('200');
  });

  it('list the aliases to members, and of a world-readable room to everybody', async () => {
    await put(alice, TEA);
    expect(await list(bob)).to.equal('403 M_FORBIDDEN');
    await bob.act('join', room);
    expect(await list(bob)).to.equal('200');
    await bob.act('leave', room);
    expect(await list(bob)).to.equal('403 M_FORBIDDEN');
    expect(await list(bob, '!none:example.org')).to.equal('403 M_FORBIDDEN');
    await alice.put(pathOf`/rooms/${room}/state/m.room.history_visibility`, {
      history_visibility: 'world_readable',
    });
    expect(await bob.get(pathOf`/rooms/${room}/aliases`)).to.deep.equal({ aliases: [TEA] });
  });
});
