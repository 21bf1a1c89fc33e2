import { expect } from 'chai';
import type { HttpAnswer } from '../../../../support/http-client.ts';
import { pathOf } from '../../../../support/http-client.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';

export const BASE = '/_matrix/client/unstable/org.matrix.msc4140';
export const V3 = '/_matrix/client/v3';
/** What says that a device is in a call: anything may be written there, like any state. */
export const MEMBER = 'org.matrix.msc3401.call.member';

export const text = (body: string) => ({ msgtype: 'm.text', body });
export const fieldsOf = (answer: HttpAnswer): Answer => answer.body;

/** Opens a world with two people in a room, of whom one may schedule 60 events. Call `world.stop` at the end of the test. */
export async function openDelayedWorld() {
  const world: SyncWorld = await openSyncWorld({ TROUPE_DELAYED_EVENTS_MAX_SCHEDULED: '60' });
  const alice: Person = await world.person('alice');
  const bob: Person = await world.person('bob');
  const roomId = await alice.room();
  await bob.act('join', roomId);
  let txns = 0;

  const put = (
    body: { delay_ms?: unknown; state_key?: string; content?: object },
    { person = alice, type = 'm.room.message', txnId = `t${(txns += 1)}`, room = roomId } = {},
  ) =>
    person.http.put(
      pathOf`${BASE}/rooms/${room}/delayed_event/${type}/${txnId}`.replaceAll('%2F', '/'),
      body,
    );
  const schedule = async (delayMs: number, body = 'later', person = alice): Promise<string> => {
    const answer = await put({ delay_ms: delayMs, content: text(body) }, { person });
    expect(answer.status, answer.text).to.equal(200);
    return fieldsOf(answer).delay_id as string;
  };
  const scheduleState = async (delayMs: number, stateKey: string, content: object, person = alice) => {
    const body = { delay_ms: delayMs, state_key: stateKey, content };
    const answer = await put(body, { type: MEMBER, person });
    expect(answer.status, answer.text).to.equal(200);
    return fieldsOf(answer).delay_id as string;
  };
  const manage = (delayId: string, action: string, token: string | null = null) =>
    alice.http.withToken(token).post(`${BASE}/delayed_events/${delayId}/${action}`, {});
  const look = async (delayId: string, person = alice): Promise<Answer> =>
    fieldsOf(await person.http.get(`${BASE}/delayed_events/${delayId}`));
  const list = async (query: Record<string, string | readonly string[]> = {}, person = alice) => {
    const answer = await person.http.get(`${BASE}/delayed_events`, { query });
    expect(answer.status, answer.text).to.equal(200);
    return fieldsOf(answer);
  };
  const messages = async (person = bob, room = roomId): Promise<string[]> => {
    const { chunk } = await person.get(pathOf`/rooms/${room}/messages`, { dir: 'f', limit: 500 });
    return chunk
      .filter((event: Answer) => event.type === 'm.room.message')
      .map((event: Answer) => event.content.body);
  };
  const memberState = (stateKey: string): Promise<HttpAnswer> =>
    bob.http.get(pathOf`${V3}/rooms/${roomId}/state/${MEMBER}/${stateKey}`.replaceAll('%2F', '/'));
  return {
    world,
    alice,
    bob,
    roomId,
    put,
    schedule,
    scheduleState,
    manage,
    look,
    list,
    messages,
    memberState,
  };
}

/** A world with delayed events. */
export type DelayedWorld = Awaited<ReturnType<typeof openDelayedWorld>>;
