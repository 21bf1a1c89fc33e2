import { expect } from 'chai';
import { MESSAGES_PER_TRANSACTION } from '../../../actors/federation-sender/device-edus.ts';
import type { Person } from '../../src/sync/sync-world.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { openSenderWorld, type SenderWorld } from './sender-world.ts';

const FAR = 'far.example';
const FARUSER = '@user:far.example';
const MINUTE_MS = 60 * 1_000;

type Edu = { readonly edu_type: string; readonly content: JsonObject };

describe('EDUs to other servers', () => {
  let world: SenderWorld;
  let alice: Person;
  let room: string;

  beforeEach(async () => {
    world = await openSenderWorld();
    alice = await world.person('alice');
    room = await openRoom();
  });
  afterEach(() => world.stop());

  async function openRoom(): Promise<string> {
    const made = await alice.room({ preset: 'public_chat' });
    await world.join(made, FARUSER);
    return made;
  }
  const type = (isTyping: boolean): Promise<unknown> =>
    alice.put(`/rooms/${encodeURIComponent(room)}/typing/${alice.userId}`, {
      typing: isTyping,
      ...(isTyping && { timeout: 30_000 }),
    });
  const read = (roomId: string, eventId: string, kind: string, body: object = {}): Promise<unknown> =>
    alice.post(`/rooms/${encodeURIComponent(roomId)}/receipt/${kind}/${encodeURIComponent(eventId)}`, body);
  const edus = (edu_type?: string): readonly Edu[] =>
    world.servers.edusAt(FAR).filter((edu) => edu_type === undefined || edu.edu_type === edu_type);
  const sendToDevice = (txnId: string, messages: object): Promise<unknown> =>
    alice.put(`/sendToDevice/m.test/${txnId}`, { messages });

  it('typing goes at once, the latest of those that waited, and is not told when nobody was there to hear', async () => {
    await type(true);
    await world.rest();
    const said = (edu: Edu) => [edu.content['user_id'], edu.content['typing']];
    expect(edus().map(said)).to.deep.equal([[alice.userId, true]]);
    world.servers.moods.set(FAR, 'silence');
    await type(false);
    await type(true);
    await type(false);
    await type(true);
    await world.rest();
    world.servers.breakSilence(FAR);
    await world.rest();
    expect(edus().map(said)).to.deep.equal([
      [alice.userId, true],
      [alice.userId, false],
      [alice.userId, true],
    ]);
    world.servers.moods.set(FAR, 'down');
    await type(false);
    await world.rest();
    world.servers.moods.delete(FAR);
    await world.pass(MINUTE_MS);
    expect(edus()).to.have.length(3);
  });

  it('2.7 of a key the latest goes, over restarts of the sender, and nothing is acknowledged before', async () => {
    world.servers.moods.set(FAR, 'silence');
    await type(true);
    await type(false);
    await world.ticks(2);
    world.servers.moods.set(FAR, 'well');
    await world.kill('federation-sender');
    expect(edus('m.typing').map(({ content }) => content['typing'])).to.deep.equal([false]);
    await world.ticks(2);
    const asked = world.servers.asked.length;
    await world.kill('federation-sender');
    await world.ticks(2);
    expect(world.servers.asked.length, 'what was acknowledged is gone').to.equal(asked);
  });

  it('receipts wait a moment for others and go as one; private ones never', async () => {
    const other = await openRoom();
    const one = await alice.say(room, 'one');
    const two = await alice.say(room, 'two');
    const three = await alice.say(other, 'three');
    await world.rest();
    await read(room, one, 'm.read');
    await read(room, two, 'm.read');
    await read(room, two, 'm.read', { thread_id: 'main' });
    await read(other, three, 'm.read');
    await read(other, three, 'm.read.private');
    await world.rest();
    expect(edus()).to.deep.equal([]);
    await world.ticks(1);
    const ts = world.clock.now() - 1_000;
    expect(edus('m.receipt').map(({ content }) => content)).to.deep.equal([
      {
        [room]: { 'm.read': { [alice.userId]: { data: { ts }, event_ids: [two] } } },
        [other]: { 'm.read': { [alice.userId]: { data: { ts }, event_ids: [three] } } },
      },
      { [room]: { 'm.read': { [alice.userId]: { data: { ts, thread_id: 'main' }, event_ids: [two] } } } },
    ]);
    expect(world.servers.taken.filter((taken) => taken.edus.length > 0)).to.have.length(1);
  });

  it('receipts go later when the server was not there', async () => {
    const one = await alice.say(room, 'one');
    await world.rest();
    world.servers.moods.set(FAR, 'down');
    await read(room, one, 'm.read');
    await world.ticks(2);
    world.servers.moods.delete(FAR);
    await world.pass(MINUTE_MS);
    expect(edus('m.receipt')).to.have.length(1);
  });

  it('presence goes to servers that share a room, when it changes', async () => {
    const status = { presence: 'online', status_msg: 'here' };
    const bob = await world.person('bob');
    await bob.put(`/presence/${bob.userId}/status`, status);
    await alice.put(`/presence/${alice.userId}/status`, status);
    await alice.put(`/presence/${alice.userId}/status`, status);
    await world.ticks(2);
    expect(edus().map(({ content }) => content)).to.deep.equal([
      {
        push: [
          {
            user_id: alice.userId,
            presence: 'online',
            status_msg: 'here',
            last_active_ago: 0,
            currently_active: true,
          },
        ],
      },
    ]);
  });

  it('messages for devices go once, in order, also when the server was away and this one was restarted', async () => {
    world.servers.moods.set(FAR, 'down');
    const messages = (n: number): object => ({
      [FARUSER]: { D1: { n }, '*': { n } },
      '@b:far.example': { X: { n } },
    });
    await sendToDevice('t1', messages(1));
    await sendToDevice('t1', messages(1));
    await sendToDevice('t2', { ...messages(2), '@bad:not a server': { X: {} }, nobody: { X: {} } });
    await world.rest();
    await world.kill('federation-sender');
    world.servers.moods.delete(FAR);
    await world.pass(MINUTE_MS);
    const direct = edus('m.direct_to_device').map(({ content }) => content);
    expect(direct.map((content) => content['messages'])).to.deep.equal([messages(1), messages(2)]);
    expect(direct[0]).to.include({ sender: alice.userId, type: 'm.test' });
    const ids = direct.map((content) => content['message_id'] as string);
    expect(new Set(ids).size).to.equal(2);
    expect(ids[0]).to.have.length(32);
    expect(world.rows('SELECT * FROM to_device_outbound')).to.deep.equal([]);
    await world.kill('federation-sender');
    await world.pass(MINUTE_MS);
    expect(edus('m.direct_to_device')).to.have.length(2);
  });

  it('many messages for devices go in EDUs and transactions of a bounded size', async () => {
    const messages = Object.fromEntries(
      Array.from({ length: 60 }, (_, index) => [
        `@u${index}:far.example`,
        { D: { text: 'x'.repeat(18_000) } },
      ]),
    );
    await sendToDevice('large', messages);
    await world.rest();
    const large = edus('m.direct_to_device').map(({ content }) => content['messages'] as object);
    expect(large).to.have.length(12);
    expect(Object.assign({}, ...large)).to.deep.equal(messages);
    world.servers.moods.set(FAR, 'silence');
    for (let n = 0; n < MESSAGES_PER_TRANSACTION + 5; n += 1)
      await sendToDevice(`t${n}`, { [FARUSER]: { D: { n } } });
    world.servers.breakSilence(FAR);
    await world.rest();
    expect(world.servers.taken.map((taken) => taken.edus.length)).to.deep.equal([12, 1, 50, 4]);
  });

  it('changes of devices go with their keys, each naming the one before', async () => {
    const keys = {
      user_id: alice.userId,
      device_id: alice.deviceId,
      keys: { [`ed25519:${alice.deviceId}`]: 'ed' },
    };
    world.exec(
      `INSERT INTO device_keys (user_id, device_id, keys)
       VALUES ('${alice.userId}', '${alice.deviceId}', '${JSON.stringify(keys)}')`,
    );
    const changed = { userId: alice.userId, deviceIds: [alice.deviceId] };
    await world.host.ref('device-lists').ask('device-lists.record-changes', changed);
    await world.rest();
    const [first] = edus('m.device_list_update').map(({ content }) => content);
    expect(first).to.deep.include({ user_id: alice.userId, device_id: alice.deviceId });
    expect(first).to.not.have.any.keys('deleted', 'device_display_name');
    expect(first?.['keys']).to.deep.equal(keys);
    await world.kill('federation-sender');
    const phone = await world.device(alice);
    const gone = { userId: alice.userId, deviceIds: [phone.deviceId] };
    await world.host.ref('accounts').ask('accounts.delete-devices', gone);
    await world.rest();
    const updates = edus('m.device_list_update').map(({ content }) => content);
    for (const [index, update] of updates.entries())
      expect(update['prev_id'], `update ${index}`).to.deep.equal(
        index === 0 ? [] : [updates[index - 1]?.['stream_id']],
      );
    expect(updates.at(-1)).to.include({ device_id: phone.deviceId, deleted: true });
    expect(world.rows('SELECT * FROM device_list_outbound')).to.deep.equal([]);
  });

  it('cross-signing keys go without the one that says whom a user has verified', async () => {
    const key = (usage: string, publicKey: string): object => ({
      user_id: alice.userId,
      usage: [usage],
      keys: { [`ed25519:${publicKey}`]: publicKey },
    });
    for (const [usage, publicKey] of [
      ['master', 'M'],
      ['self_signing', 'S'],
      ['user_signing', 'U'],
    ] as const)
      world.exec(
        `INSERT INTO cross_signing_keys (user_id, usage, public_key, key)
         VALUES ('${alice.userId}', '${usage}', '${publicKey}', '${JSON.stringify(key(usage, publicKey))}')`,
      );
    const record = { userId: alice.userId, deviceIds: ['M', 'S', 'U'] };
    await world.host.ref('device-lists').ask('device-lists.record-changes', record);
    await world.rest();
    expect(edus()).to.deep.equal([
      {
        edu_type: 'm.signing_key_update',
        content: {
          user_id: alice.userId,
          master_key: key('master', 'M'),
          self_signing_key: key('self_signing', 'S'),
        },
      },
    ]);
    expect(world.rows('SELECT * FROM device_list_outbound')).to.deep.equal([]);
  });
});
