import type { JsonObject } from '../../src/kit/json.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { PolicyServer } from '../../src/matrix/rooms/policy-server.ts';
import type { Ask } from '../kit/protocol.ts';

/** What the policy servers of rooms are asked. Server-Server API v1.19, "Policy Servers". */
export type PolicyServersProtocol = {
  /**
   * Asks a room's policy server for its signature on an event, which is checked before it is given. The same question again, within minutes, has
   * the same answer. Refused with what the policy server said, M_LIMIT_EXCEEDED also when too many events wait for it, M_UNKNOWN with 502 when it
   * does not answer or its signature is wrong.
   */
  'policy-servers.sign': Ask<
    {
      readonly policyServer: PolicyServer;
      readonly roomVersion: string;
      readonly eventId: string;
      readonly pdu: JsonObject;
    },
    /** `pdu`: with the signature. */
    { readonly kind: 'signed'; readonly pdu: JsonObject } | Refusal
  >;
};
