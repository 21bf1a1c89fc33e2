import { LRUCache } from 'lru-cache';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { POLICY_KEY_ID } from '../../src/matrix/events/policy-signature.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { isRecommended } from '../../src/matrix/rooms/policy-server.ts';
import { getRoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { withSignature } from '../../src/matrix/signing.ts';
import { defineActor, type TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { createTurnstile, type Turnstile } from '../turnstile.ts';
import { askPolicyServer } from './ask-policy-server.ts';
import type { PolicyServersProtocol } from './protocol.ts';

const MAILBOX_LIMIT = 10_000;
/** Questions that one policy server is asked at the same time. */
export const ASKED_AT_ONCE_MAX = 16;
/** Questions that wait for those. */
export const ASKS_WAITING_MAX = 500;
/** When it is worth trying again where too many wait, in milliseconds. */
const RETRY_AFTER_MS = 2_000;
/** Answers that are remembered: an event may come from several servers, and a policy server does not change its mind. MSC4284. */
const ANSWERS_MAX = 5_000;

type Sign = InputOf<PolicyServersProtocol, 'policy-servers.sign'>;
type Signed = OutputOf<PolicyServersProtocol, 'policy-servers.sign'>;

/** A no, or a yes, that would be the same if it were asked for again. */
function isLasting(signature: string | Refusal): boolean {
  return !isRefusal(signature) || (signature.status < 500 && signature.errcode !== 'M_LIMIT_EXCEEDED');
}

function tooMany(): Refusal {
  return refuse('M_LIMIT_EXCEEDED', 'Too many events wait for the policy server of this room.', {
    extra: { retry_after_ms: RETRY_AFTER_MS },
  });
}

function createSigning(context: TroupeContext): (sign: Sign) => Promise<Signed> {
  const { env, log } = context;
  const answers = new LRUCache<string, string | Refusal>({ max: ANSWERS_MAX });
  const underWay = new Map<string, Promise<string | Refusal>>();
  const gates = new Map<string, { readonly turnstile: Turnstile; open: number }>();

  /** Undefined: too many wait already. */
  async function passGate<T>(serverName: string, work: () => Promise<T>): Promise<T | undefined> {
    const gate = gates.get(serverName) ?? {
      turnstile: createTurnstile(ASKED_AT_ONCE_MAX, ASKS_WAITING_MAX),
      open: 0,
    };
    gates.set(serverName, gate);
    gate.open += 1;
    try {
      return await gate.turnstile.pass(work);
    } finally {
      gate.open -= 1;
      if (gate.open === 0) gates.delete(serverName);
    }
  }

  async function ask({ policyServer, roomVersion, eventId, pdu }: Sign): Promise<string | Refusal> {
    const { serverName } = policyServer;
    const asked = await passGate(serverName, () => askPolicyServer(env.federationClient, serverName, pdu));
    const signature = asked ?? tooMany();
    if (isRefusal(signature)) {
      log.info('a policy server has not signed an event', { serverName, eventId, reason: signature.error });
      return signature;
    }
    const signed = withSignature(pdu, serverName, POLICY_KEY_ID, signature);
    if (isRecommended(getRoomVersion(roomVersion), signed as unknown as Pdu, policyServer)) return signature;
    log.warn('a policy server signs with another key than the room names', { serverName, eventId });
    return refuse(
      'M_UNKNOWN',
      `The policy server of this room, ${serverName}, signs with another key than m.room.policy names: who may send that event can correct it.`,
      { status: 502 },
    );
  }

  return async (sign) => {
    const { serverName, publicKey } = sign.policyServer;
    const name = `${serverName} ${publicKey} ${sign.eventId}`;
    const known = answers.get(name) ?? underWay.get(name);
    const asking = known ?? ask(sign);
    if (known === undefined && asking instanceof Promise) underWay.set(name, asking);
    const signature = await asking;
    underWay.delete(name);
    if (isLasting(signature)) answers.set(name, signature);
    if (isRefusal(signature)) return signature;
    return { kind: 'signed', pdu: withSignature(sign.pdu, serverName, POLICY_KEY_ID, signature) };
  };
}

/** Asks the policy servers of rooms for their signatures: what is slow here delays those alone who wait for it. */
export const policyServersActor = defineActor<PolicyServersProtocol>({
  name: 'policy-servers',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
  start(context) {
    return { handlers: { 'policy-servers.sign': createSigning(context) } };
  },
});
