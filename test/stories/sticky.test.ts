// oxlint-disable no-underscore-dangle -- the package names so what it knows of proposals
import { expect } from 'chai';
import {
  type MatrixClient,
  MsgType,
  Preset,
  type Room,
  RoomStickyEventsEvent,
  type StickyMatrixEvent,
  type TimelineEvents,
} from 'matrix-js-sdk';
import { clientOf, eventually, logIn, register, startSyncing, within } from '../support/sdk-client.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 60_000;
const HOUR_MS = 3_600_000;
const TYPE = 'org.example.in_call' as keyof TimelineEvents;

/** Sticky content of this story: who is in a call, by device. */
function inCall(device: string, says: string): never {
  return { msc4354_sticky_key: device, says } as never;
}

describe('two people are in a call by sticky events (MSC4354)', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let server: TroupeProcess;
  let ann: MatrixClient;
  let bob: MatrixClient;
  let tablet: MatrixClient | undefined;
  let roomId: string;

  const roomOf = (client: MatrixClient): Room => {
    const room = client.getRoom(roomId);
    if (room === null) throw new Error(`${client.getUserId()} does not know ${roomId}`);
    return room;
  };
  const stick = (client: MatrixClient, device: string, says: string, durationMs = HOUR_MS) =>
    client._unstable_sendStickyEvent(roomId, durationMs, null, TYPE, inCall(device, says));
  const said = (client: MatrixClient): string[] =>
    [...roomOf(client)._unstable_getStickyEvents()]
      .map((event) => String(event.getContent()['says']))
      .toSorted();

  /** Resolves when what a client knows to be sticky is this. */
  function knows(client: MatrixClient, ...expected: readonly string[]): Promise<unknown> {
    return eventually(client, expected.join(), () => said(client).join() === expected.join());
  }

  before(async () => {
    server = await startTroupe({ gateways: 1 });
    ann = clientOf(
      server.url,
      await register(server.url, 'ann', 'ann has a secret', server.firstToken ?? ''),
    );
    bob = clientOf(server.url, await register(server.url, 'bob', 'bob has another'));
    await startSyncing(ann);
    ({ room_id: roomId } = await ann.createRoom({ preset: Preset.PublicChat }));
    await bob.joinRoom(roomId);
    await startSyncing(bob);
    for (const client of [ann, bob])
      await eventually(client, 'the room', () => client.getRoom(roomId)?.getMyMembership() === 'join');
  });
  after(async () => {
    for (const client of [ann, bob, tablet]) client?.stopClient();
    await server?.dispose();
  });

  it('each hears of the other, and of what takes the place of it', async () => {
    await stick(ann, 'phone', 'ann is here');
    await knows(bob, 'ann is here');
    const updates: string[] = [];
    roomOf(bob).on(RoomStickyEventsEvent.Update, (_added, updated) => {
      for (const { current, previous } of updated)
        updates.push(`${previous.getContent()['says']} -> ${current.getContent()['says']}`);
    });
    await stick(ann, 'phone', 'ann has muted');
    await stick(bob, 'laptop', 'bob is here');
    await knows(bob, 'ann has muted', 'bob is here');
    await knows(ann, 'ann has muted', 'bob is here');
    expect(updates).to.deep.equal(['ann is here -> ann has muted']);
  });

  it('who logs in later hears of both, however much was said since', async () => {
    const text = (body: string) => ({ msgtype: MsgType.Text as const, body });
    for (let index = 0; index < 5; index += 1) await ann.sendMessage(roomId, text(`said ${index}`));
    tablet = clientOf(server.url, await logIn(server.url, 'bob', 'bob has another'));
    await startSyncing(tablet, 2);
    await knows(tablet, 'ann has muted', 'bob is here');
    const event = roomOf(tablet)._unstable_getKeyedStickyEvent(
      ann.getSafeUserId(),
      TYPE,
      'phone',
    ) as StickyMatrixEvent;
    expect(event.unstableStickyInfo?.duration_ms).to.equal(HOUR_MS);
    expect(event.unstableStickyInfo?.duration_ttl_ms).to.be.within(HOUR_MS - STORY_TIMEOUT_MS, HOUR_MS);
    expect(roomOf(tablet).getLiveTimeline().getEvents()).to.have.length(2);
  });

  it('it ends for all of them with a redaction, and by itself', async () => {
    const ended = new Promise((resolve) => {
      roomOf(bob).on(RoomStickyEventsEvent.Update, (_added, _updated, removed) => {
        if (removed.some((event) => event.getContent()['says'] === 'for a moment')) resolve(undefined);
      });
    });
    await stick(ann, 'watch', 'for a moment', 1_500);
    await knows(bob, 'ann has muted', 'bob is here', 'for a moment');
    await within('the end of what was for a moment', ended);
    const last = roomOf(bob)._unstable_getKeyedStickyEvent(bob.getSafeUserId(), TYPE, 'laptop');
    await bob.redactEvent(roomId, last?.getId() ?? '');
    await eventually(ann, 'the redaction', () => !said(ann).includes('bob is here'));
  });
});
