import { expect } from 'chai';
import {
  EventType,
  type MatrixClient,
  MsgType,
  Preset,
  RelationType,
  type Room,
  ThreadEvent,
} from 'matrix-js-sdk';
import { clientOf, eventually, logIn, register, within } from '../support/sdk-client.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 60_000;

describe('two people talk in threads', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let server: TroupeProcess;
  let ann: MatrixClient;
  let bob: MatrixClient;
  let tablet: MatrixClient;
  let roomId: string;
  let rootId: string;
  let replyId: string;

  const roomOf = (client: MatrixClient): Room => {
    const room = client.getRoom(roomId);
    if (room === null) throw new Error(`${client.getUserId()} does not know ${roomId}`);
    return room;
  };
  const text = (body: string) => ({ msgtype: MsgType.Text as const, body });

  before(async () => {
    server = await startTroupe({ gateways: 1 });
    ann = clientOf(
      server.url,
      await register(server.url, 'ann', 'ann has a secret', server.firstToken ?? ''),
    );
    bob = clientOf(server.url, await register(server.url, 'bob', 'bob has another'));
    for (const client of [ann, bob]) await client.startClient({ threadSupport: true, initialSyncLimit: 20 });
    ({ room_id: roomId } = await ann.createRoom({ preset: Preset.PublicChat }));
    await bob.joinRoom(roomId);
    for (const client of [ann, bob])
      await eventually(client, 'the room', () => client.getRoom(roomId)?.getMyMembership() === 'join');
  });
  after(async () => {
    for (const client of [ann, bob, tablet]) client?.stopClient();
    await server?.dispose();
  });

  it('the server says that it knows threads', async () => {
    expect((await ann.getVersions()).versions).to.include('v1.4');
    expect(await ann.doesServerSupportThread()).to.deep.include({ threads: 2, list: 2, fwdPagination: 2 });
  });

  it('ann begins, bob answers in a thread, and edits and reactions find their events', async () => {
    ({ event_id: rootId } = await ann.sendMessage(roomId, text('shall we have lunch')));
    const inThread = (body: string) => ({
      ...text(body),
      'm.relates_to': { rel_type: RelationType.Thread as const, event_id: rootId },
    });
    ({ event_id: replyId } = await bob.sendMessage(roomId, rootId, inThread('yes, souup')));
    await ann.sendMessage(roomId, rootId, inThread('where'));
    await bob.sendMessage(roomId, {
      ...text('* yes, soup'),
      'm.new_content': text('yes, soup'),
      'm.relates_to': { rel_type: RelationType.Replace as const, event_id: replyId },
    });
    await ann.sendEvent(roomId, EventType.Reaction, {
      'm.relates_to': { rel_type: RelationType.Annotation, event_id: replyId, key: '🍲' },
    });
    const again = ann.sendEvent(roomId, EventType.Reaction, {
      'm.relates_to': { rel_type: RelationType.Annotation, event_id: replyId, key: '🍲' },
    });
    expect(await again.catch((error: { errcode?: string }) => error.errcode)).to.equal(
      'M_DUPLICATE_ANNOTATION',
    );
    await eventually(ann, 'the thread', () => (roomOf(ann).getThread(rootId)?.length ?? 0) === 2);
  });

  it('a new device of ann has the thread from the server alone', async () => {
    tablet = clientOf(server.url, await logIn(server.url, 'ann', 'ann has a secret'));
    await tablet.startClient({ threadSupport: true, initialSyncLimit: 1 });
    await eventually(tablet, 'the room', () => tablet.getRoom(roomId));
    const room = roomOf(tablet);
    await room.createThreadsTimelineSets();
    await room.fetchRoomThreads();
    const thread = room.getThread(rootId);
    if (thread === null) throw new Error('the thread was not listed');
    expect(thread.length).to.equal(2);
    expect(thread.hasCurrentUserParticipated).to.equal(true);
    if (!thread.initialEventsFetched)
      await within(
        'the events of the thread',
        new Promise((resolve) => thread.once(ThreadEvent.Update, resolve)),
      );
    const reply = thread.findEventById(replyId) ?? thread.events.find((event) => event.getId() === replyId);
    expect(reply?.getContent()['body']).to.equal('yes, soup');
    const { chunk } = await tablet.fetchRelations(
      roomId,
      replyId,
      RelationType.Annotation,
      EventType.Reaction,
    );
    expect(chunk.map((event) => event.content?.['m.relates_to']?.key)).to.deep.equal(['🍲']);
    const participated = await tablet.createThreadListMessagesRequest(roomId, null, 10);
    expect(participated.chunk.map((event) => event.event_id)).to.deep.equal([rootId]);
  });

  it('both find what was said', async () => {
    for (const client of [bob, tablet]) {
      const found = await client.searchRoomEvents({ term: 'Soup' });
      expect(found.count).to.equal(1);
      const [result] = found.results;
      expect(result?.context.getEvent().getContent()['m.new_content'].body).to.equal('yes, soup');
      const all = await client.searchRoomEvents({ term: 'lunch' });
      expect(all.results.map(({ context }) => context.getEvent().getId())).to.deep.equal([rootId]);
      expect(all.highlights).to.include('lunch');
    }
  });
});
