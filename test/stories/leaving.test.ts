import { expect } from 'chai';
import type { Json, JsonObject } from '../../src/kit/json.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import { type ForeignRoom, makeForeignRoom, received } from '../support/foreign-room.ts';
import { createHttpClient, type HttpClient, pathOf } from '../support/http-client.ts';
import { type InProcessProgram, startInProcess } from '../support/in-process-program.ts';
import {
  okBody,
  type Person,
  personOf,
  register,
  type SeenEvent,
  type Synced,
  textOf,
} from '../support/person.ts';

const REMOTE = '@remote:other.example';
const CLIENT = '/_matrix/client/v3';
const PATIENCE_MS = 60_000;
const FROM = { receivedFrom: 'other.example' };
const INCLUDE_LEAVE = { filter: JSON.stringify({ room: { include_leave: true } }) };

type LeftRoom = NonNullable<NonNullable<Synced['rooms']>['leave']>[string];

function accepted<T extends { readonly kind: string }>(reply: T | Refusal): T {
  if (isRefusal(reply)) throw new Error(`${reply.errcode} ${reply.error}`);
  return reply;
}

function membershipsOf(room: LeftRoom | undefined): string[] {
  const events = room?.timeline?.events ?? [];
  return events
    .filter(({ type }) => type === 'm.room.member')
    .map(({ state_key: userId, content }) => `${userId ?? ''} ${textOf(content, 'membership')}`);
}

describe('this server leaves rooms that go on elsewhere, and is started again', function () {
  this.timeout(PATIENCE_MS);
  let server: InProcessProgram;
  let http: HttpClient;
  let people: Person[] = [];
  before(async () => {
    server = await startInProcess();
    http = createHttpClient(server.address);
    people = [await register(http, 'ann'), await register(http, 'bob')];
  });
  after(async () => {
    http?.close();
    await server?.dispose();
  });

  const person = (index: number): Person => {
    const found = people[index];
    if (found === undefined) throw new Error('nobody is registered');
    return found;
  };
  const restart = async (): Promise<void> => {
    await server.stop();
    http.close();
    server = await startInProcess({ folder: server.folder });
    http = createHttpClient(server.address);
    people = people.map(({ userId, token }) => personOf(http, userId, token));
  };
  const rooms = () => server.program.supervisor.ref('rooms');
  const base = (room: ForeignRoom) => ({ roomId: room.roomId, ...FROM });
  /** Somebody joins with the help of the other server; the room of before stays with it. */
  const enter = async (room: ForeignRoom, who: Person): Promise<void> => {
    const state = room.state().map(received);
    const event = received(room.member(who.userId, 'join'));
    const join = { ...base(room), roomVersion: room.version, event, state, authChain: [], partial: null };
    accepted(await rooms().ask('rooms.accept-join', join));
    // The rooms were asked behind the gateway's back: it hears of it a moment later.
    let seen = await who.sync();
    while (seen.rooms?.join?.[room.roomId] === undefined) seen = await who.sync(seen.next_batch, 10_000);
  };
  const receive = async (room: ForeignRoom, event: ReturnType<ForeignRoom['add']>): Promise<void> => {
    const message = { ...base(room), event: received(event), stateBefore: null, isFinal: false };
    expect((await rooms().ask('rooms.receive-event', message)).kind).to.equal('accepted');
  };
  const syncAll = async (who: Person): Promise<Synced> =>
    okBody(await who.http.get(`${CLIENT}/sync`, { query: INCLUDE_LEAVE }), 'sync') as unknown as Synced;
  const read = async (who: Person, roomId: string, what: string): Promise<Json> => {
    const answer = await who.http.get(`${CLIENT}${pathOf`/rooms/${roomId}`}/${what}`);
    expect(answer.status, answer.text).to.equal(200);
    return answer.body;
  };
  const inspect = async (roomId: string): Promise<JsonObject> => {
    const inspector = createHttpClient(server.program.inspectorAddress);
    try {
      return okBody(await inspector.get(pathOf`/_troupe/inspector/v1/rooms/${roomId}`), 'inspect');
    } finally {
      inspector.close();
    }
  };

  it('5.1 5.10 both leave: what they had stays readable, the room is closed to them', async () => {
    const room = makeForeignRoom({ version: '10' });
    const { roomId } = room;
    await enter(room, person(0));
    await enter(room, person(1));
    expect(await inspect(roomId)).to.deep.include({ members: { join: 3 }, membershipsConsistent: true });
    const since = await Promise.all(people.map(async (who) => (await who.sync()).next_batch));
    await person(0).send(roomId, 'one', 'last words');
    await person(0).leave(roomId);
    await person(1).leave(roomId);
    for (const life of ['first', 'second']) {
      for (const [index, token] of since.entries()) {
        const who = person(index);
        const offline = (await who.sync(token)).rooms?.leave?.[roomId];
        expect(membershipsOf(offline), life).to.include(`${who.userId} leave`);
        const first = (await syncAll(who)).rooms?.leave?.[roomId];
        expect(membershipsOf(first), life).to.include(`${who.userId} leave`);
        expect(await who.readAll(roomId), life).to.deep.equal(['last words']);
        const state = (await read(who, roomId, 'state')) as unknown as readonly SeenEvent[];
        expect(
          state.map(({ type }) => type),
          life,
        ).to.include('m.room.create');
        const members = (await read(who, roomId, 'members')) as unknown as { chunk: readonly SeenEvent[] };
        expect(
          members.chunk.map((event) => event.state_key),
          life,
        ).to.include(REMOTE);
        const late = await who.trySend(roomId, `late-${life}`, 'too late');
        expect([late.status, textOf(late.body as JsonObject, 'errcode')], life).to.deep.equal([
          403,
          'M_FORBIDDEN',
        ]);
      }
      expect(await inspect(roomId), life).to.deep.include({
        roomVersion: '10',
        stateEntries: 0,
        forwardExtremities: 0,
        members: {},
        localMembers: { leave: 2 },
        membershipsConsistent: true,
      });
      if (life === 'first') await restart();
    }
  });

  it('5.2 the last one is banned by another server: the row is a ban, and the client is told', async () => {
    const room = makeForeignRoom({ name: 'ban' });
    const { roomId } = room;
    await enter(room, person(0));
    const { next_batch: since } = await person(0).sync();
    await receive(room, room.member(person(0).userId, 'ban', REMOTE));
    await restart();
    const told = (await person(0).sync(since)).rooms?.leave?.[roomId];
    expect(membershipsOf(told)).to.deep.equal([`${person(0).userId} ban`]);
    expect(await inspect(roomId)).to.deep.include({ stateEntries: 0, localMembers: { ban: 1 } });
  });

  it('5.3 5.4 an invite is rejected while nobody can be asked, a second one is accepted', async () => {
    const room = makeForeignRoom({ name: 'invite', version: '12' });
    const { roomId } = room;
    const who = person(0);
    const invite = async (): Promise<void> => {
      const event = received(room.member(who.userId, 'invite', REMOTE));
      const strippedState = room.inviteState('m.room.create');
      accepted(
        await rooms().ask('rooms.receive-invite', { ...base(room), roomVersion: '12', event, strippedState }),
      );
    };
    const { next_batch: since } = await who.sync();
    await invite();
    expect((await who.sync(since, 10_000)).rooms?.invite).to.have.property(roomId);
    await restart();
    await person(0).leave(roomId);
    const left = (await person(0).sync(since)).rooms;
    expect(left).to.not.have.property('invite');
    expect(membershipsOf(left?.leave?.[roomId])).to.deep.equal([`${person(0).userId} leave`]);
    expect((await inspect(roomId))['localMembers']).to.deep.equal({ leave: 1 });
    await invite();
    await enter(room, person(0));
    const joined = (await person(0).sync()).rooms?.join?.[roomId];
    expect(joined?.state?.events.map(({ type }) => type)).to.include('m.room.create');
    await person(0).send(roomId, 'hello', 'at last');
    expect(await inspect(roomId)).to.deep.include({ localMembers: { join: 1 }, membershipsConsistent: true });
  });
});
