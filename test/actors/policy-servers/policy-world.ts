import { policyServersActor } from '../../../actors/policy-servers/actor.ts';
import type { FederationAnswer } from '../../../src/federation/federation-client.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { referenceText } from '../../../src/matrix/events/hashes.ts';
import { eventIdOf } from '../../../src/matrix/events/event-id.ts';
import type { Pdu } from '../../../src/matrix/events/pdu.ts';
import { POLICY_KEY_ID } from '../../../src/matrix/events/policy-signature.ts';
import { encodeBase64 } from '../../../src/matrix/events/unpadded-base64.ts';
import { getRoomVersion, type RoomVersion } from '../../../src/matrix/rooms/room-versions.ts';
import { makeServerKey, type ServerKey, signText, verifyKeyOf } from '../../../src/matrix/signing.ts';
import { openReceiverWorld, OTHER, type ReceiverWorld } from '../federation-receiver/receiver-world.ts';
import { ALICE, sendState, sent } from '../rooms/rooms-house.ts';

export const POLICY_SERVER_KEY = makeServerKey(new Uint8Array(32).fill(77), 'policy_server');
export const OTHER_KEY = makeServerKey(new Uint8Array(32).fill(78), 'policy_server');

/** The public half of a key, as `m.room.policy` names it. */
export function publicKeyOf(key: ServerKey): string {
  return encodeBase64(verifyKeyOf(key).publicKey);
}

/** The answer of a policy server that recommends an event. */
export function recommends(version: RoomVersion, pdu: JsonObject, key = POLICY_SERVER_KEY): FederationAnswer {
  const signature = signText(referenceText(version, pdu as unknown as Pdu) ?? '', key);
  return { kind: 'answered', body: { [OTHER]: { [POLICY_KEY_ID]: signature } } };
}

/** The answer of one that does not. */
export function refuses(status: number, errcode: string, extra: JsonObject = {}): FederationAnswer {
  const error = 'looks like spam';
  return { kind: 'refused', status, errcode, error, body: { errcode, error, ...extra } };
}

/** A world of the receiver, in which the other server looks at what is sent in the room. */
export interface PolicyWorld extends ReceiverWorld {
  /** Ids of the events that the policy server was asked about, in order. */
  readonly seen: string[];
  /** What it answers, from now on. */
  answer: (pdu: JsonObject) => FederationAnswer | Promise<FederationAnswer>;
  recommend(pdu: JsonObject, key?: ServerKey): FederationAnswer;
  /** Alice names the policy server of the room. */
  enable(content?: JsonObject, type?: string): Promise<void>;
}

/** Opens a world whose policy server recommends everything; the room does not name it yet. Call `close` at the end of the test. */
export async function openPolicyWorld(version = '11'): Promise<PolicyWorld> {
  const roomVersion = getRoomVersion(version);
  const recommend: PolicyWorld['recommend'] = (pdu, key) => recommends(roomVersion, pdu, key);
  const script = { seen: [] as string[], answer: recommend as PolicyWorld['answer'] };
  const world = await openReceiverWorld(
    version,
    {},
    {
      actors: [policyServersActor],
      client: (peers) => ({
        ...peers,
        async request(request) {
          if (request.path !== '/_matrix/policy/v1/sign') return peers.request(request);
          const pdu = request.body ?? {};
          script.seen.push(eventIdOf(roomVersion, pdu as unknown as Pdu) ?? 'no event');
          return script.answer(pdu);
        },
      }),
    },
  );
  return Object.assign(script, world, {
    recommend,
    async enable(
      content: JsonObject = { via: OTHER, public_keys: { ed25519: publicKeyOf(POLICY_SERVER_KEY) } },
      type = 'm.room.policy',
    ) {
      sent(await sendState(world.house, world.roomId, ALICE, { type, stateKey: '', content }));
    },
  });
}
