// oxlint-disable no-underscore-dangle -- the package names so what it knows of proposals
import { expect } from 'chai';
import { createClient, type MatrixClient, type Room } from 'matrix-js-sdk';
import { checkedFetch } from '../support/checked-fetch.ts';
import {
  clientOf,
  eventually,
  quiet,
  register,
  type Session,
  startSyncing,
  textsOf,
  within,
} from '../support/sdk-client.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 120_000;
const MEMBER = 'org.matrix.msc3401.call.member';
const LIVEKIT = 'https://livekit.example';
/** How long after the last sign of life of a client it has left, and how often it gives one. */
const LEAVE_MS = 1_500;
const HEARTBEAT_MS = 400;

/** A client in whose process nothing reaches the server any more once it has crashed. */
interface Crashable {
  readonly client: MatrixClient;
  crash(): void;
}

function crashable(baseUrl: string, session: Session): Crashable {
  let isAlive = true;
  const fetchFn: typeof fetch = (input, init) =>
    isAlive ? checkedFetch(input, init) : Promise.reject(new Error('crashed by the story'));
  const client = createClient({ baseUrl, ...session, timelineSupport: true, logger: quiet, fetchFn });
  return {
    client,
    crash() {
      isAlive = false;
      client.stopClient();
    },
  };
}

describe('a call', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let server: TroupeProcess;
  let annSession: Session;
  let ann: MatrixClient;
  let bob: Crashable;
  let roomId: string;
  const environment = {
    TROUPE_RTC_LIVEKIT_SERVICE_URLS: `["${LIVEKIT}"]`,
    TROUPE_SERVER_PUBLIC_BASE_URL: 'https://matrix.example.org',
  };

  // Its part for calls says through the console that it has crashed.
  const { error: printError } = console;

  before(async () => {
    // oxlint-disable-next-line no-console -- the package prints there, whatever logger it is given
    console.error = () => undefined;
    server = await startTroupe({ environment });
    annSession = await register(server.url, 'ann', 'ann has a secret', server.firstToken ?? '');
    ann = clientOf(server.url, annSession);
    bob = crashable(server.url, await register(server.url, 'bob', 'bob has another'));
    await startSyncing(ann);
    await startSyncing(bob.client);
    ({ room_id: roomId } = await ann.createRoom({
      invite: ['@bob:localhost'],
      power_level_content_override: { events: { [MEMBER]: 0 } },
    }));
    await bob.client.joinRoom(roomId);
    await eventually(bob.client, 'the room', () => bob.client.getRoom(roomId));
    await eventually(ann, 'bob', () => roomOf(ann).getMember('@bob:localhost')?.membership === 'join');
  });
  after(async () => {
    // oxlint-disable-next-line no-console -- as before
    console.error = printError;
    ann?.stopClient();
    bob?.client.stopClient();
    await server?.dispose();
  });

  const roomOf = (client: MatrixClient): Room => {
    const room = client.getRoom(roomId);
    if (room === null) throw new Error(`${client.getUserId()} does not know the room`);
    return room;
  };
  /** What Bob's membership of the call says, as Ann sees it. */
  const membershipOfBob = (): object | undefined =>
    roomOf(ann)
      .currentState.getStateEvents(MEMBER)
      .find((event) => event.getSender() === '@bob:localhost')
      ?.getContent();
  const isInCall = (): boolean => Object.keys(membershipOfBob() ?? {}).length > 0;
  const revive = async (): Promise<void> => {
    server = await startTroupe({ environment, folder: server.folder });
    ann.stopClient();
    ann = clientOf(server.url, annSession);
    await startSyncing(ann);
  };

  it('is carried by what the server says, and the service there learns who somebody is', async () => {
    expect(await ann._unstable_getRTCTransports()).to.deep.equal([
      { type: 'livekit', livekit_service_url: LIVEKIT },
    ]);
    const { access_token: token } = await ann.getOpenIdToken();
    const answer = await fetch(`${server.url}/_matrix/federation/v1/openid/userinfo?access_token=${token}`);
    expect(await answer.json()).to.deep.equal({ sub: '@ann:localhost' });
  });

  it('is joined, and left by itself when the client crashes, although the server is killed in the middle', async () => {
    const session = bob.client.matrixRTC.getRoomSession(roomOf(bob.client));
    session.joinRoomSession([{ type: 'livekit', livekit_service_url: LIVEKIT }], undefined, {
      delayedLeaveEventDelayMs: LEAVE_MS,
      delayedLeaveEventRestartMs: HEARTBEAT_MS,
      maximumNetworkErrorRetryCount: 0,
    });
    await eventually(ann, 'bob in the call', isInCall);
    const { scheduled: [leave] = [] } = await bob.client._unstable_getDelayedEvents();
    expect(leave).to.include({ type: MEMBER, room_id: roomId, delay: LEAVE_MS });
    const isRestarted = async (): Promise<boolean> => {
      const { scheduled: [now] = [] } = await bob.client._unstable_getDelayedEvents();
      return (now?.running_since ?? 0) > (leave?.running_since ?? Infinity) + LEAVE_MS;
    };
    // It lives longer than one delay by its heartbeats.
    while (!(await within('heartbeats', isRestarted()))) await ann.whoami();
    expect(isInCall()).to.equal(true);
    bob.crash();
    await server.kill();
    await revive();
    await eventually(ann, 'bob out of the call', () => !isInCall());
    expect(membershipOfBob()).to.not.equal(undefined);
  });

  it('what somebody sends later is listed, restarted, cancelled and sent, and survives the server', async () => {
    const send = async (delay: number, body: string): Promise<string> => {
      const content = { msgtype: 'm.text', body } as never;
      const type = 'm.room.message' as never;
      return (await ann._unstable_sendDelayedEvent(roomId, { delay }, null, type, content)).delay_id;
    };
    const [never, now, soon] = [
      await send(60_000, 'never'),
      await send(60_000, 'now'),
      await send(1_000, 'soon'),
    ];
    const state = await ann._unstable_sendDelayedStateEvent(
      roomId,
      { delay: 60_000 },
      MEMBER as never,
      {} as never,
      '_ann',
    );
    await ann._unstable_restartScheduledDelayedEvent(never);
    const listed = await ann._unstable_getDelayedEvents('scheduled');
    expect(listed.scheduled?.map(({ delay_id: id }) => id)).to.deep.equal([soon, now, state.delay_id, never]);
    await ann._unstable_cancelScheduledDelayedEvent(never);
    await ann._unstable_sendScheduledDelayedEvent(now);
    await eventually(ann, 'what was sent now', () => textsOf(roomOf(ann)).includes('now'));
    await server.kill();
    await revive();
    const event = await eventually(ann, 'what was sent soon', () =>
      roomOf(ann)
        .getLiveTimeline()
        .getEvents()
        .find((one) => one.getContent()['body'] === 'soon'),
    );
    expect(event.getUnsigned()).to.include({ 'org.matrix.msc4140.delay_id': soon });
    expect(textsOf(roomOf(ann))).to.deep.equal(['now', 'soon']);
    const { finalised } = await ann._unstable_getDelayedEvent(soon);
    expect(finalised?.event_id).to.equal(event.getId());
    const again = ann._unstable_restartScheduledDelayedEvent(soon);
    expect(await again.catch(({ httpStatus }: { httpStatus: number }) => httpStatus)).to.equal(409);
    const { finalised: done = [] } = await ann._unstable_getDelayedEvents('finalised');
    expect(done.map(({ outcome, reason }) => `${outcome} ${reason}`)).to.have.members([
      'send delay',
      'send action',
      'cancel action',
    ]);
    const old = { delay: 86_400_001 };
    const refused: unknown = await ann
      ._unstable_sendDelayedEvent(roomId, old, null, 'm.room.message' as never, {} as never)
      .catch(({ data }: { data: unknown }) => data);
    expect(refused).to.include({ 'org.matrix.msc4140.max_delay': 86_400_000 });
    await ann._unstable_updateDelayedEvent(state.delay_id, 'cancel' as never);
  });
});
