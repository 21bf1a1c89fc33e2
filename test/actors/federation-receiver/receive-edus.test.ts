import { expect } from 'chai';
import type { JsonObject } from '../../../src/kit/json.ts';
import { DAVE, ERIN } from '../rooms/receive-world.ts';
import { ALICE } from '../rooms/rooms-house.ts';
import { openReceiverWorld, OTHER, type ReceiverWorld, THIRD } from './receiver-world.ts';

describe('EDUs of another server', () => {
  let world: ReceiverWorld;
  beforeEach(async () => {
    world = await openReceiverWorld();
  });
  afterEach(() => world.close());

  const send = async (edus: readonly JsonObject[], origin = OTHER): Promise<void> => {
    await world.transact([], { edus, origin });
    await world.house.idle();
  };

  it('tell who types, in rooms that their server is in', async () => {
    const { roomId } = world;
    const typing = (user: string, room = roomId): JsonObject => ({
      edu_type: 'm.typing',
      content: { room_id: room, user_id: user, typing: true },
    });
    await send([typing(DAVE), typing(ERIN), typing(ALICE), typing(DAVE, '!other:other.example')]);
    // Third has nobody in the room.
    await send([typing(ERIN)], THIRD);
    expect(world.told('typing.receive-remote')).to.deep.equal([
      { origin: OTHER, roomId, userId: DAVE, isTyping: true },
    ]);
  });

  it('tell what was read, by their own users, in public', async () => {
    const { roomId } = world;
    const receipt = (eventId: string, data: JsonObject): JsonObject => ({ event_ids: [eventId], data });
    const content = {
      [roomId]: {
        'm.read': {
          [DAVE]: receipt('$one', { ts: 12, thread_id: 'main' }),
          [ERIN]: receipt('$two', { ts: 13 }),
          [ALICE]: receipt('$two', { ts: 13 }),
          '@broken:other.example': { event_ids: '$one', data: { ts: 1 } },
          '@when:other.example': receipt('$one', {}),
        },
        'm.read.private': { [DAVE]: receipt('$three', { ts: 14 }) },
      },
      '!elsewhere:other.example': { 'm.read': { [DAVE]: receipt('$four', { ts: 15 }) } },
    };
    await send([{ edu_type: 'm.receipt', content }]);
    expect(world.told('receipts.receive-remote')).to.deep.equal([
      { roomId, userId: DAVE, eventId: '$one', threadId: 'main', ts: 12 },
    ]);
  });

  it('tell who of their users is there', async () => {
    const push = [
      { user_id: DAVE, presence: 'online', last_active_ago: 5, currently_active: true, status_msg: 'hi' },
      { user_id: ERIN, presence: 'online' },
      { user_id: DAVE, presence: 'dancing' },
      { user_id: DAVE, presence: 'busy' },
      { user_id: DAVE, presence: 'org.matrix.msc3026.busy' },
      'nonsense',
    ];
    await send([{ edu_type: 'm.presence', content: { push } }]);
    const busy = { presence: 'org.matrix.msc3026.busy', statusMessage: null, lastActiveAgoMs: 0 };
    expect(world.told('presence.receive-remote')).to.deep.equal([
      {
        userId: DAVE,
        presence: 'online',
        statusMessage: 'hi',
        lastActiveAgoMs: 5,
        isCurrentlyActive: true,
      },
      { userId: DAVE, ...busy, isCurrentlyActive: false },
      { userId: DAVE, ...busy, isCurrentlyActive: false },
    ]);
  });

  it('bring messages to devices of local users, from their own users', async () => {
    const messages = { [ALICE]: { D: { a: 1 }, E: 'nonsense' }, [ERIN]: { F: { b: 2 } }, broken: 1 };
    const toDevice = (sender: string): JsonObject => ({
      edu_type: 'm.direct_to_device',
      content: { sender, type: 'm.x', message_id: 'M1', messages },
    });
    await send([toDevice(DAVE), toDevice(ERIN), toDevice(ALICE)]);
    expect(world.told('to-device.send-messages')).to.deep.equal([
      { sender: DAVE, senderDevice: '', txnId: 'M1', type: 'm.x', messages: { [ALICE]: { D: { a: 1 } } } },
    ]);
  });

  it('go on to who follows devices, and are left out when nobody knows them', async () => {
    const content = { user_id: DAVE };
    await send([
      { edu_type: 'm.device_list_update', content },
      { edu_type: 'm.signing_key_update', content },
      { edu_type: 'm.dance', content },
      { edu_type: 7, content },
      { edu_type: 'm.device_list_update' },
    ]);
    expect(world.told('remote-devices.receive-update')).to.deep.equal([{ origin: OTHER, content }]);
    expect(world.told('remote-devices.receive-signing-keys')).to.deep.equal([{ origin: OTHER, content }]);
  });
});
