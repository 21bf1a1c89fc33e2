import { expect } from 'chai';
import { insertAccount } from '../../../db/accounts/writer.ts';
import { step } from '../../../db/kit/write-set.ts';
import { findCurrentStateEvent } from '../../../db/rooms/state-reader.ts';
import { endpoint as exchange } from '../../../src/http/server/membership/put-third-party-invite.ts';
import { endpoint as bind } from '../../../src/http/server/membership/put-third-party-bind.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import { countersignEvent } from '../../../src/matrix/events/event-signatures.ts';
import type { Pdu } from '../../../src/matrix/events/pdu.ts';
import { encodeBase64 } from '../../../src/matrix/events/unpadded-base64.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { getRoomVersion } from '../../../src/matrix/rooms/room-versions.ts';
import { makeServerKey, signJson, verifyKeyOf } from '../../../src/matrix/signing.ts';
import { FOREIGN_KEY } from '../../support/foreign-room.ts';
import { ALICE, BOB, makeRoom, REMOTE, sendState, sent, SERVER } from '../rooms/rooms-house.ts';
import { no, openRemoteWorld, OTHER, type RemoteWorld } from './remote-world.ts';

const FINDER = 'finder.example';
const FINDER_KEY = makeServerKey(new Uint8Array(32).fill(8), 'finder');
const TOKEN = 'token of the finder';

describe('invites by e-mail or telephone', () => {
  let world: RemoteWorld;
  let roomId: string;
  beforeEach(async () => {
    world = await openRemoteWorld();
    roomId = await makeRoom(world.house);
    const publicKey = encodeBase64(verifyKeyOf(FINDER_KEY).publicKey);
    const content = { display_name: 'r…', public_key: publicKey, key_validity_url: 'https://finder.example' };
    const type = 'm.room.third_party_invite';
    sent(await sendState(world.house, roomId, ALICE, { type, stateKey: TOKEN, content }));
  });
  afterEach(() => world.close());

  /** What the identity server says who the invited one is. */
  const signedFor = (mxid: string, key = FINDER_KEY): JsonObject =>
    signJson({ mxid, token: TOKEN }, FINDER, key);
  const call = async (endpoint: { readonly handle: unknown }, params: JsonObject, body: JsonObject) => {
    const services = {
      db: world.house.database.db,
      cached: world.house.caches,
      config: { server: { name: SERVER } },
      'remote-rooms': world.house.ref('remote-rooms'),
    };
    const handle = endpoint.handle as (request: unknown) => Promise<unknown>;
    const answer = await handle({ params, body, services, caller: { serverName: OTHER }, log: silentLogger });
    return isRefusal(answer) ? answer.errcode : answer;
  };
  const offer = (target: string, signed: JsonObject, other: JsonObject = {}) =>
    call(
      exchange,
      { roomId },
      {
        type: 'm.room.member',
        room_id: roomId,
        sender: ALICE,
        state_key: target,
        content: { membership: 'invite', third_party_invite: { display_name: 'r…', signed } },
        ...other,
      },
    );
  const notify = (mxid: string, sender: string, signed: JsonObject) =>
    call(
      bind,
      {},
      { medium: 'email', address: 'a@b.c', mxid, invites: [{ room_id: roomId, sender, signed }] },
    );
  const membershipOf = async (userId: string): Promise<unknown> => {
    const event = await findCurrentStateEvent(world.house.database.db, roomId, 'm.room.member', userId);
    return event && (JSON.parse(event.pdu) as Pdu).content['membership'];
  };
  const addAccount = async (userId: string): Promise<void> => {
    const account = { userId, passwordHash: null, isAdmin: 0, isGuest: 0, token: null, now: 1 };
    await world.house.database.write.write({ owner: 'accounts', steps: [step(insertAccount, account)] });
  };

  it('become invites of users of other servers, whose servers sign them', async () => {
    world.on(OTHER, 'invite', ({ body }) => {
      const event = body?.['event'] as unknown as Pdu;
      const signer = { serverName: OTHER, key: FOREIGN_KEY };
      return { event: countersignEvent(getRoomVersion('11'), event, signer) };
    });
    expect(await offer(REMOTE, signedFor(REMOTE))).to.deep.equal({});
    expect(await membershipOf(REMOTE)).to.equal('invite');
  });

  it('become nothing where the identity server has not said who that is', async () => {
    world.on(OTHER, 'invite', () => no('M_UNKNOWN', 500));
    const stranger = makeServerKey(new Uint8Array(32).fill(9), 'finder');
    for (const [name, made, errcode] of [
      ['somebody else', () => offer(REMOTE, signedFor('@else:other.example')), 'M_FORBIDDEN'],
      ['another key', () => offer(REMOTE, signedFor(REMOTE, stranger)), 'M_FORBIDDEN'],
      ['another token', () => offer(REMOTE, { ...signedFor(REMOTE), token: 'none' }), 'M_FORBIDDEN'],
      ['another inviter', () => offer(REMOTE, signedFor(REMOTE), { sender: BOB }), 'M_FORBIDDEN'],
      ['not ours', () => offer(REMOTE, signedFor(REMOTE), { sender: REMOTE }), 'M_INVALID_PARAM'],
      ['another room', () => offer(REMOTE, signedFor(REMOTE), { room_id: '!a:b.c' }), 'M_INVALID_PARAM'],
      ['another type', () => offer(REMOTE, signedFor(REMOTE), { type: 'm.room.topic' }), 'M_INVALID_PARAM'],
    ] as const)
      expect(await made(), name).to.equal(errcode);
    expect(await membershipOf(REMOTE)).to.equal(undefined);
    expect(world.asked).to.deep.equal([]);
  });

  it('of users of this server become invites when the identity server says so', async () => {
    expect(await notify(BOB, ALICE, signedFor(BOB))).to.equal('M_INVALID_PARAM');
    await addAccount(BOB);
    expect(await notify(BOB, ALICE, signedFor(REMOTE))).to.deep.equal({});
    expect(await membershipOf(BOB)).to.equal(undefined);
    expect(await notify(BOB, ALICE, signedFor(BOB))).to.deep.equal({});
    expect(await membershipOf(BOB)).to.equal('invite');
  });

  it('of users of this server are exchanged with the server of the inviter', async () => {
    await addAccount(BOB);
    world.on(OTHER, 'exchange_third_party_invite', () => ({}));
    expect(await notify(BOB, REMOTE, signedFor(BOB))).to.deep.equal({});
    const [request] = world.requests;
    expect(request?.body).to.deep.include({ sender: REMOTE, state_key: BOB, room_id: roomId });
    expect(request?.body).to.have.nested.property('content.third_party_invite.signed.mxid', BOB);
    expect(request?.body).to.have.nested.property('content.membership', 'invite');
  });
});
