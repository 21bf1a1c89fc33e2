import { expect } from 'chai';
import { Compile } from 'typebox/compile';
import type { Environment } from '../../../../actors/environment.ts';
import { defineInspectorActor, type Inspected } from '../../../../actors/inspector/actor.ts';
import type { ActorMap } from '../../../../actors/protocols.ts';
import {
  stateDifferenceSchema,
  stateExplanationSchema,
} from '../../../../src/http/inspector/state-schemas.ts';
import type { StateDifference, StateExplanation } from '../../../../src/state-resolution/explanation.ts';
import { type ActorHost, createActorHost, type Transport, TRANSPORTS } from '../../../support/actor-host.ts';
import type { TestDatabase } from '../../../support/database.ts';
import { createHttpClient, type HttpAnswer, type HttpClient } from '../../../support/http-client.ts';
import {
  CREATOR,
  createForkDatabase,
  type ForkedRoom,
  startForkedRoom,
} from '../../state-resolution/forked-room.ts';
import { furnish } from '../../state-resolution/random-room.ts';
import { testConfig } from '../kit/test-app.ts';

const POOL = {
  module: new URL('../../../../actors/pool/actor.ts', import.meta.url).href,
  exportName: 'poolActor',
};
const ANSWER_TIMEOUT_MS = 20_000;
const explanation = Compile(stateExplanationSchema);
const difference = Compile(stateDifferenceSchema);

describe('the inspector about states', function () {
  this.timeout(ANSWER_TIMEOUT_MS);
  let database: TestDatabase;
  let host: ActorHost<ActorMap>;
  let http: HttpClient;
  let room: ForkedRoom;
  let left: string;
  let right: string;
  let meet: string;

  async function start(transport: Transport): Promise<void> {
    const env = {
      config: {
        ...testConfig(),
        data: { path: database.folder },
        inspector: { listen: { host: '127.0.0.1', port: 0 } },
      },
      db: database.db,
    } as unknown as Environment;
    host = await createActorHost<ActorMap, Environment>({
      transport,
      actors: [POOL, defineInspectorActor({} as Inspected)],
      env,
    });
    http = createHttpClient(await host.ref('inspector').ask('inspector.read-address', null));
  }
  const ask = (
    path: string,
    query: Readonly<Record<string, string>>,
    roomId = room.roomId,
  ): Promise<HttpAnswer> =>
    http.get(
      `/_troupe/inspector/v1/rooms/${encodeURIComponent(roomId)}/state/${path}?${new URLSearchParams(query).toString()}`,
    );
  const topic = (value: string, prev: readonly string[]): string =>
    room.add({ type: 'm.room.topic', stateKey: '', sender: CREATOR, content: { topic: value }, prev });

  beforeEach(async () => {
    database = await createForkDatabase();
    room = startForkedRoom(database, '12');
    furnish(room);
    const root = room.newest;
    left = topic('left', [root]);
    right = topic('right', [root]);
    meet = room.add({ type: 'm.room.message', sender: CREATOR, prev: [left, right] });
    room.leaveOpen([meet]);
    await room.flush();
  });
  afterEach(async () => {
    http?.close();
    await host?.stop();
    database.close();
  });

  for (const transport of TRANSPORTS)
    it(`explains and compares over HTTP, as its schemas say, the pool on the ${transport}`, async () => {
      await start(transport);
      for (const at of [meet, 'current']) {
        const { status, body, text } = await ask(`${encodeURIComponent(at)}/why`, { type: 'm.room.topic' });
        expect(status, text).to.equal(200);
        expect(explanation.Check(body), text).to.equal(true);
        const answer = body as unknown as StateExplanation;
        expect(answer.at).to.equal(at);
        expect([left, right]).to.include(answer.winner?.event_id);
        expect(answer.decided_at?.event_id).to.equal(meet);
      }
      const member = await ask(`${encodeURIComponent(left)}/why`, {
        type: 'm.room.member',
        state_key: CREATOR,
      });
      expect(explanation.Check(member.body), member.text).to.equal(true);
      expect((member.body as unknown as StateExplanation).winner).to.deep.include({
        state_key: CREATOR,
        content: { membership: 'join' },
      });
      const absent = await ask(`${encodeURIComponent(left)}/why`, { type: 'm.room.name' });
      expect(explanation.Check(absent.body), absent.text).to.equal(true);
      const differing = await ask('diff', { from: left, to: right, limit: '1' });
      expect(differing.status, differing.text).to.equal(200);
      expect(difference.Check(differing.body), differing.text).to.equal(true);
      const { changes, changed } = differing.body as unknown as StateDifference;
      expect(changed).to.equal(1);
      expect(changes[0]).to.deep.include({ kind: 'changed', type: 'm.room.topic' });
      expect(changes[0]?.after?.event_id).to.equal(right);
    });

  it('refuses what is malformed, naming the parameter, and what is not known', async () => {
    await start('same-thread');
    const why = `${encodeURIComponent(meet)}/why`;
    const expected: readonly (readonly [Promise<HttpAnswer>, number, string, string])[] = [
      [ask('nonsense/why', { type: 'm.room.topic' }), 400, 'M_INVALID_PARAM', 'eventId'],
      [ask(why, { type: 'm.room.topic' }, 'nonsense'), 400, 'M_INVALID_PARAM', 'roomId'],
      [ask(why, {}), 400, 'M_MISSING_PARAM', 'type'],
      [ask('diff', { from: 'nonsense', to: meet }), 400, 'M_INVALID_PARAM', 'from'],
      [ask('diff', { from: meet, to: 'nonsense' }), 400, 'M_INVALID_PARAM', '"to"'],
      [ask('diff', { from: meet }), 400, 'M_MISSING_PARAM', '"to"'],
      [ask('diff', { from: meet, to: meet }, 'nonsense'), 400, 'M_INVALID_PARAM', 'roomId'],
      [ask('diff', { from: meet, to: meet, limit: '0' }), 400, 'M_INVALID_PARAM', 'limit'],
      [ask('diff', { from: meet, to: meet, limit: '1001' }), 400, 'M_INVALID_PARAM', 'limit'],
      [ask('diff', { from: meet, to: meet, offset: '-1' }), 400, 'M_INVALID_PARAM', 'offset'],
      [ask(why, { type: 'm.room.topic' }, '!unknown:example.com'), 404, 'M_NOT_FOUND', '!unknown'],
      [ask('$unknown/why', { type: 'm.room.topic' }), 404, 'M_NOT_FOUND', '$unknown'],
      [ask('diff', { from: meet, to: '$unknown' }), 404, 'M_NOT_FOUND', '$unknown'],
    ];
    for (const [answer, status, errcode, named] of expected) {
      const { status: got, body, text } = await answer;
      expect([got, (body as { errcode?: string }).errcode], text).to.deep.equal([status, errcode]);
      expect(text).to.include(named.replaceAll('"', '\\"'));
    }
  });

  it('says to try again when the pool does not answer, and goes on', async () => {
    await start('same-thread');
    host.crashNext('pool');
    const { status, body, text } = await ask(`${encodeURIComponent(meet)}/why`, { type: 'm.room.topic' });
    expect(status, text).to.equal(503);
    expect(body).to.include({ errcode: 'M_UNKNOWN' }).and.have.property('retry_after_ms');
    await host.idle();
    expect(host.status().actors.find(({ name }) => name === 'inspector')?.restarts).to.equal(0);
  });
});
