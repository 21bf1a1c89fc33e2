import { expect } from 'chai';
import type { ActorStatus } from '../../actors/kit/status.ts';
import type { StreamReport } from '../../src/inspector/stream-report.ts';
import { streams as registered } from '../../src/streams/registry.ts';
import { createHttpClient, type HttpClient, pathOf } from '../support/http-client.ts';
import { type InProcessProgram, startInProcess } from '../support/in-process-program.ts';
import { clientOfUrl, eventually, type Person, personOf, register, type Synced } from '../support/person.ts';

const STORY_TIMEOUT_MS = 180_000;
/** A poll that waits so long has missed what it waited for. */
const POLL_MS = 10_000;
/** Users at work at the same time, and what each does. Together: a thousand. */
const USERS = 4;
const ROUNDS = 250;
const ROOMS_PER_USER = 5;

function restrictedTo(roomId: string) {
  const allow = [{ type: 'm.room_membership', room_id: roomId }];
  return {
    preset: 'public_chat',
    initial_state: [
      { type: 'm.room.join_rules', state_key: '', content: { join_rule: 'restricted', allow } },
    ],
  };
}

/** The types of all events that an answer gives of a joined room. */
function typesIn(answer: Synced, roomId: string): string[] {
  const room = answer.rooms?.join?.[roomId];
  return [...(room?.state?.events ?? []), ...(room?.timeline?.events ?? [])].map(({ type }) => type);
}

describe('streams, end to end: two gateways', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let server: InProcessProgram;
  let http: HttpClient;
  let owner: Person;
  const connections: HttpClient[] = [];

  /** The same person, whose every request comes out at one certain gateway. */
  async function at(gateway: 'gateway-1' | 'gateway-2', person: Person): Promise<Person> {
    const connection = await server.connectTo(gateway, person.token);
    connections.push(connection);
    return personOf(connection, person.userId, person.token);
  }

  function counter(name: string): number {
    return server.program.supervisor.figures().counters.get(name) ?? 0;
  }

  before(async () => {
    server = await startInProcess({ gateways: 2 });
    http = createHttpClient(server.address);
    owner = await register(http, 'owner');
  });
  after(async () => {
    for (const connection of connections) connection.close();
    http?.close();
    await server?.dispose();
  });

  it('2.2 each letter of a real token is a registered stream with a live owner and a live subscriber on each gateway', async () => {
    const { next_batch: token } = await owner.sync();
    const letters = token.split('_').map((part) => part.slice(0, 1));
    expect(letters).to.deep.equal(registered.flatMap(({ letter }) => (letter === null ? [] : [letter])));
    expect(new Set(letters).size).to.equal(letters.length);
    const { host, port } = server.program.inspectorAddress;
    const inspector = clientOfUrl(`http://${host}:${port}`);
    const read = async <Item>(name: string): Promise<readonly Item[]> => {
      const { body } = await inspector.get(`/_troupe/inspector/v1/${name}`);
      return (body as unknown as Record<string, readonly Item[]>)[name] ?? [];
    };
    const streams = await read<StreamReport>('streams');
    const actors = await read<ActorStatus>('actors');
    inspector.close();
    for (const letter of letters) {
      const stream = streams.find(({ name }) =>
        registered.some((one) => one.name === name && one.letter === letter),
      );
      const label = `${letter}: ${stream?.name}`;
      expect(actors.find(({ name }) => name === stream?.owner)?.state, label).to.equal('running');
      for (const gateway of ['gateway-1', 'gateway-2'])
        expect(stream?.subscribers.find(({ thread }) => thread === gateway)?.state, label).to.equal('live');
    }
  });

  it('1.6 join B, then at once join restricted A over the other gateway: never 403', async () => {
    const user = await register(http, 'restless');
    const [here, there] = [await at('gateway-1', user), await at('gateway-2', user)];
    const openRoom = await owner.createRoom({ preset: 'public_chat' });
    const restricted = await owner.createRoom(restrictedTo(openRoom));
    for (let round = 0; round < 100; round += 1) {
      await here.join(openRoom);
      await there.join(restricted);
      await there.leave(restricted);
      await here.leave(openRoom);
      // It is restricted indeed.
      const refused = await there.http.post(pathOf`/_matrix/client/v3/rooms/${restricted}/join`, {});
      expect(refused.status).to.equal(403);
    }
  });

  it('1.6 what one gateway has acknowledged, the other shows at once: rooms, members, state, messages', async () => {
    const user = await register(http, 'reader');
    const [here, there] = [await at('gateway-1', user), await at('gateway-2', user)];
    const [ownerHere] = [await at('gateway-1', owner)];
    for (let round = 0; round < 50; round += 1) {
      const made = await here.createRoom({ name: `round ${round}` });
      for (const path of ['state', 'members', 'joined_members']) {
        const { status, text } = await there.http.get(`${pathOf`/_matrix/client/v3/rooms/${made}`}/${path}`);
        expect(status, `round ${round}, ${path}: ${text}`).to.equal(200);
      }
      await there.send(made, 'txn', `line ${round}`);
      expect(await here.readAll(made)).to.deep.equal([`line ${round}`]);

      // Also when this gateway has just had to say no, and so knows something of the room.
      const closed = await ownerHere.createRoom({ preset: 'private_chat' });
      await ownerHere.send(closed, 'txn', 'welcome');
      const state = pathOf`/_matrix/client/v3/rooms/${closed}/state`;
      expect((await there.http.get(state)).status).to.equal(403);
      await ownerHere.invite(closed, user.userId);
      await here.join(closed);
      expect((await there.http.get(state)).status, `round ${round}`).to.equal(200);
      expect(await there.readAll(closed), `round ${round}`).to.deep.equal(['welcome']);
      await here.leave(closed);
      expect((await there.http.put(`${state}/m.room.topic/`, { topic: 'mine' })).status).to.equal(403);
    }
  });

  it('2.4 after a restart of typing old tokens work: 50 idle polls wait for their timeout, nobody stays typing', async () => {
    const user = await register(http, 'typist');
    const self = await at('gateway-2', user);
    const roomId = await self.createRoom();
    await self.type(roomId, true);
    const seen = await self.sync();
    expect(seen.rooms?.join?.[roomId]?.ephemeral?.events[0]?.content).to.deep.equal({
      user_ids: [user.userId],
    });
    await server.program.supervisor.restart('typing');
    await eventually('the new epoch on all threads', () => {
      const epochs = new Set(
        server.program.supervisor
          .status()
          .threads.map(({ name }) =>
            server.program.supervisor.figures(name).gauges.get('stream.typing.applied-epoch'),
          )
          .filter((epoch) => epoch !== undefined),
      );
      return epochs.size === 1 && !epochs.has(Number(/_t(\d+)\./.exec(seen.next_batch)?.[1]));
    });

    const idle = async (since: string): Promise<readonly Synced[]> => {
      const [timedOut, woken] = [counter('notifier.timed-out'), counter('notifier.woken')];
      const answers = await Promise.all(Array.from({ length: 50 }, () => user.sync(since, 1_000)));
      expect(counter('notifier.timed-out') - timedOut, 'polls that waited to their end').to.equal(50);
      expect(counter('notifier.woken') - woken, 'polls that returned at once').to.equal(0);
      return answers;
    };
    const corrected = await idle(seen.next_batch);
    for (const { rooms } of corrected)
      expect(rooms?.join?.[roomId]?.ephemeral?.events.map(({ content }) => content)).to.deep.equal([
        { user_ids: [] },
      ]);
    for (const { rooms } of await idle(corrected[0]?.next_batch ?? ''))
      expect(rooms?.join ?? {}).to.deep.equal({});

    const again = user.sync(corrected[0]?.next_batch, POLL_MS);
    await user.type(roomId, true);
    expect((await again).rooms?.join?.[roomId]?.ephemeral?.events[0]?.content).to.deep.equal({
      user_ids: [user.userId],
    });
  });

  /** Does something over one gateway while a long poll stands at the other; gives the first answer that comes. */
  async function whilePolling(
    there: Person,
    since: { token: string },
    act: () => Promise<unknown>,
  ): Promise<Synced> {
    const [answer] = await Promise.all([there.sync(since.token, POLL_MS), act()]);
    since.token = answer.next_batch;
    return answer;
  }

  it('6.3 1,000 × invite, accept, leave on one gateway: the poll on the other that returns has the room in the right place', async () => {
    let accepted = 0;
    const work = async (number: number): Promise<void> => {
      const user = await register(http, `guest${number}`);
      const [here, there] = [await at('gateway-1', user), await at('gateway-2', user)];
      const host = await at('gateway-1', await register(http, `host${number}`));
      const rooms: string[] = [];
      for (let count = 0; count < ROOMS_PER_USER; count += 1) rooms.push(await host.createRoom());
      const since = { token: (await there.sync()).next_batch };
      for (let round = 0; round < ROUNDS; round += 1) {
        const roomId = rooms[round % rooms.length] ?? '';
        const label = `user ${number}, round ${round}`;
        const invited = await whilePolling(there, since, () => host.invite(roomId, user.userId));
        expect(invited.rooms?.invite ?? {}, label).to.have.property(roomId);
        const joined = await whilePolling(there, since, () => here.join(roomId));
        expect(typesIn(joined, roomId), `${label}: ${JSON.stringify(joined)}`).to.include.members([
          'm.room.create',
          'm.room.member',
        ]);
        accepted += 1;
        const left = await whilePolling(there, since, () => here.leave(roomId));
        expect(left.rooms?.leave ?? {}, label).to.have.property(roomId);
      }
    };
    await Promise.all(Array.from({ length: USERS }, (_, number) => work(number)));
    expect(accepted).to.equal(1_000);
  });

  it('6.3 1,000 × restricted join on one gateway: the poll on the other that returns has the room in join', async () => {
    let joins = 0;
    const work = async (number: number): Promise<void> => {
      const user = await register(http, `member${number}`);
      const [here, there] = [await at('gateway-1', user), await at('gateway-2', user)];
      const openRoom = await owner.createRoom({ preset: 'public_chat' });
      const rooms: string[] = [];
      for (let count = 0; count < ROOMS_PER_USER; count += 1)
        rooms.push(await owner.createRoom(restrictedTo(openRoom)));
      await here.join(openRoom);
      // A sync of the other gateway may be a moment behind: from here on it knows of the open room.
      const since = await eventually('the open room', async () => {
        const first = await there.sync();
        return first.rooms?.join?.[openRoom] !== undefined && { token: first.next_batch };
      });
      for (let round = 0; round < ROUNDS; round += 1) {
        const roomId = rooms[round % rooms.length] ?? '';
        const joined = await whilePolling(there, since, () => here.join(roomId));
        const label = `user ${number}, round ${round}`;
        expect(typesIn(joined, roomId), `${label}: ${JSON.stringify(joined)}`).to.include.members([
          'm.room.create',
          'm.room.member',
        ]);
        joins += 1;
        const left = await whilePolling(there, since, () => here.leave(roomId));
        expect(left.rooms?.leave ?? {}, label).to.have.property(roomId);
      }
    };
    await Promise.all(Array.from({ length: USERS }, (_, number) => work(number)));
    expect(joins).to.equal(1_000);
  });
});
