import { expect } from 'chai';
import { defineActor, type Environment } from '../../../../actors/environment.ts';
import type {
  DestinationState,
  FederationSenderProtocol,
} from '../../../../actors/federation-sender/protocol.ts';
import { defineInspectorActor, type Inspected } from '../../../../actors/inspector/actor.ts';
import type { ActorMap } from '../../../../actors/protocols.ts';
import { type ActorHost, createActorHost } from '../../../support/actor-host.ts';
import { createHttpClient, type HttpClient } from '../../../support/http-client.ts';
import { testConfig } from '../kit/test-app.ts';

const FAR: DestinationState = {
  destination: 'far.example',
  failingSinceTs: 1,
  retryTs: 2,
  lastError: 'it is down',
  lastHeardTs: null,
  queuedEvents: 3,
  queuedEdus: 4,
  eventsSentUpTo: 5,
};
const BASE = '/_troupe/inspector/v1/destinations';

describe('the inspector about destinations', () => {
  let host: ActorHost<ActorMap>;
  let http: HttpClient;
  let asked: unknown[];

  beforeEach(async () => {
    asked = [];
    const handlers = {
      'federation-sender.read-destinations': (page: unknown) => {
        asked.push(page);
        return [FAR];
      },
      'federation-sender.retry-now': ({ destination }: { readonly destination: string }) => ({
        kind: 'retried',
        isKnown: destination === FAR.destination,
      }),
    };
    const sender = defineActor<FederationSenderProtocol>({
      name: 'federation-sender',
      mailbox: { limit: 10, whenFull: 'refuse' },
      order: { kind: 'interleaved' },
      start: () => ({ handlers: handlers as never }),
    });
    const inspector = { listen: { host: '127.0.0.1', port: 0 } };
    host = await createActorHost<ActorMap, Environment>({
      transport: 'same-thread',
      actors: [sender, defineInspectorActor({} as Inspected)],
      env: { config: { ...testConfig(), inspector } } as unknown as Environment,
    });
    http = createHttpClient(await host.ref('inspector').ask('inspector.read-address', null));
  });
  afterEach(async () => {
    http.close();
    await host.stop();
  });

  it('lists them in pages', async () => {
    const { status, body } = await http.get(`${BASE}?after=a.example&limit=7`);
    expect({ status, body }).to.deep.equal({ status: 200, body: { destinations: [FAR] } });
    expect(asked).to.deep.equal([{ after: 'a.example', limit: 7 }]);
    expect((await http.get(`${BASE}?limit=0`)).status).to.equal(400);
  });

  it('tries one at once; one of which nothing is known is not found', async () => {
    const known = await http.request('POST', `${BASE}/far.example/retry`, {});
    expect(known.body).to.deep.equal({ retried: 'far.example' });
    const unknown = await http.request(
      'POST',
      `${BASE}/${encodeURIComponent('near.example:8448')}/retry`,
      {},
    );
    expect([unknown.status, (unknown.body as { errcode: string }).errcode]).to.deep.equal([
      404,
      'M_NOT_FOUND',
    ]);
  });
});
