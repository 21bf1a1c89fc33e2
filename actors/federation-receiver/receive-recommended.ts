import type { Clock } from '../../src/kit/clock.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { isPolicyState, type PolicyServer } from '../../src/matrix/rooms/policy-server.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import { POLICY_KEY_ID } from '../../src/matrix/events/policy-signature.ts';
import { signatureOf } from '../../src/matrix/signing.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import type { PolicyServersProtocol } from '../policy-servers/protocol.ts';
import type { Received, ReceivedEvent, RoomsProtocol } from '../rooms/protocol.ts';

/** How long a policy server may have one event wait that it has too much to do for, in milliseconds; then it is asked once more. */
export const RETRY_AFTER_MS_MAX = 5_000;

type Sign = InputOf<PolicyServersProtocol, 'policy-servers.sign'>;
type Give = InputOf<RoomsProtocol, 'rooms.receive-unless-unsigned'>;

/** What came together: asked about once, when the first of them needs it. */
export interface Siblings {
  readonly events: readonly ReceivedEvent[];
  areAsked: boolean;
}

/** An event for `rooms`, and what else of its room came with it: that is asked about at the same time. */
export interface Given extends Give {
  readonly roomVersion: string;
  readonly siblings?: Siblings;
}

/** Whom this asks. Nothing of it throws but for defects. */
export interface RecommendedDesk {
  readonly clock: Clock;
  sign(question: Sign): Promise<OutputOf<PolicyServersProtocol, 'policy-servers.sign'>>;
  receiveUnlessUnsigned(input: Give): Promise<OutputOf<RoomsProtocol, 'rooms.receive-unless-unsigned'>>;
  receiveUnsigned(
    input: Give & { readonly unsignedReason: string },
  ): Promise<OutputOf<RoomsProtocol, 'rooms.receive-event'>>;
}

/** The question about an event; undefined where there is none to ask. */
function questionOf(
  policyServer: PolicyServer,
  roomVersion: string,
  { eventId, pdu: text }: ReceivedEvent,
  isSibling: boolean,
): Sign | undefined {
  const pdu = JSON.parse(text) as JsonObject;
  const { type, state_key: stateKey } = pdu;
  if (typeof type === 'string' && isPolicyState(type, typeof stateKey === 'string' ? stateKey : undefined))
    return undefined;
  // Whether a signature is right is for `rooms` to say: where it is not, it is asked for then.
  if (isSibling && signatureOf(pdu, policyServer.serverName, POLICY_KEY_ID) !== undefined) return undefined;
  return { policyServer, roomVersion, eventId, pdu };
}

/** Asks, and once more where the policy server says that it has too much to do for a moment. */
async function askPatiently(
  desk: RecommendedDesk,
  question: Sign,
): Promise<OutputOf<PolicyServersProtocol, 'policy-servers.sign'>> {
  const answer = await desk.sign(question);
  if (!isRefusal(answer) || answer.errcode !== 'M_LIMIT_EXCEEDED') return answer;
  const { retry_after_ms: wait } = answer.extra ?? {};
  if (typeof wait !== 'number' || wait > RETRY_AFTER_MS_MAX) return answer;
  await new Promise<void>((resolve) => void desk.clock.after(wait, resolve));
  return desk.sign(question);
}

/** What comes after an event may wait for it: the answers are remembered until `rooms` asks for them. */
function askAhead(
  desk: RecommendedDesk,
  policyServer: PolicyServer,
  roomVersion: string,
  events: readonly ReceivedEvent[],
): void {
  for (const event of events) {
    const question = questionOf(policyServer, roomVersion, event, true);
    if (question !== undefined) void desk.sign(question);
  }
}

/**
 * Hands an event to `rooms`, with the signature of the room's policy server where it needs one and has none: that is asked for when the event
 * was found to be allowed. Without it, whatever the reason, it is soft-failed.
 * Server-Server API v1.19, "Validating Policy Server signatures", "Asking for a Policy Server signature on an event".
 */
export async function receiveRecommended(
  desk: RecommendedDesk,
  { roomVersion, siblings, ...give }: Given,
): Promise<Received | Refusal> {
  const received = await desk.receiveUnlessUnsigned(give);
  if (isRefusal(received) || received.kind !== 'unsigned') return received;
  const { policyServer } = received;
  const question = questionOf(policyServer, roomVersion, give.event, false);
  if (question === undefined) throw new Error(`${received.eventId} needs no signature`);
  if (siblings?.areAsked === false) {
    siblings.areAsked = true;
    askAhead(desk, policyServer, roomVersion, siblings.events);
  }
  const answer = await askPatiently(desk, question);
  if (isRefusal(answer)) return desk.receiveUnsigned({ ...give, unsignedReason: answer.error });
  const event = { eventId: give.event.eventId, pdu: JSON.stringify(answer.pdu) };
  // Decided either way: what it names may have changed its key meanwhile.
  return desk.receiveUnsigned({ ...give, event, unsignedReason: 'it is signed with another key' });
}
