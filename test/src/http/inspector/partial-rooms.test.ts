import { expect } from 'chai';
import { defineActor, type Environment } from '../../../../actors/environment.ts';
import { defineInspectorActor, type Inspected } from '../../../../actors/inspector/actor.ts';
import type { ActorMap } from '../../../../actors/protocols.ts';
import type { PartialRoomState, RemoteRoomsProtocol } from '../../../../actors/remote-rooms/protocol.ts';
import { type ActorHost, createActorHost } from '../../../support/actor-host.ts';
import { createHttpClient, type HttpClient, pathOf } from '../../../support/http-client.ts';
import { testConfig } from '../kit/test-app.ts';

const ROOM: PartialRoomState = {
  roomId: '!large:far.example',
  joinedVia: 'far.example',
  servers: 3,
  sinceTs: 4,
  failures: 1,
  lastError: 'far.example: it is down',
  retryTs: 5,
  isUnderWay: false,
};
const BASE = '/_troupe/inspector/v1/partial-rooms';

describe('the inspector about rooms whose members are being fetched', () => {
  let host: ActorHost<ActorMap>;
  let http: HttpClient;

  beforeEach(async () => {
    const handlers = {
      'remote-rooms.read-partial-rooms': () => [ROOM],
      'remote-rooms.retry-partial-room': ({ roomId }: { readonly roomId: string }) => ({
        kind: 'retried',
        isKnown: roomId === ROOM.roomId,
      }),
    };
    const remote = defineActor<RemoteRoomsProtocol>({
      name: 'remote-rooms',
      mailbox: { limit: 10, whenFull: 'refuse' },
      order: { kind: 'interleaved' },
      start: () => ({ handlers: handlers as never }),
    });
    const inspector = { listen: { host: '127.0.0.1', port: 0 } };
    host = await createActorHost<ActorMap, Environment>({
      transport: 'same-thread',
      actors: [remote, defineInspectorActor({} as Inspected)],
      env: { config: { ...testConfig(), inspector } } as unknown as Environment,
    });
    http = createHttpClient(await host.ref('inspector').ask('inspector.read-address', null));
  });
  afterEach(async () => {
    http.close();
    await host.stop();
  });

  it('lists them, and tries one at once; one that is whole is not found', async () => {
    const { status, body } = await http.get(BASE);
    expect({ status, body }).to.deep.equal({ status: 200, body: { rooms: [ROOM] } });
    const retry = (roomId: string) => http.request('POST', `${BASE}${pathOf`/${roomId}`}/retry`, {});
    expect((await retry(ROOM.roomId)).body).to.deep.equal({ retried: ROOM.roomId });
    expect((await retry('!whole:far.example')).status).to.equal(404);
  });
});
