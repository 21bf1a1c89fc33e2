import { Agent, request } from 'undici';
import { isJsonObject, type JsonObject } from '../kit/json.ts';
import { createAddressGuard } from '../http-client/address-guard.ts';
import { createGuardedConnect, type Lookup } from '../http-client/guarded-connect.ts';

/** Connections to one gateway: a slow one keeps its own pushes waiting and nobody else's. */
const CONNECTIONS_PER_GATEWAY = 8;
/** How long a gateway may be silent, in milliseconds. */
const SILENCE_MS_MAX = 15_000;
/** The largest answer of a gateway, in bytes. */
const ANSWER_BYTES_MAX = 65_536;
/** Every address: for tests and closed networks. */
const EVERYWHERE = ['0.0.0.0/0', '::/0'];

/** How a gateway took a notification. */
export type GatewayAnswer =
  | { readonly kind: 'taken'; readonly rejected: readonly string[] }
  | { readonly kind: 'failed'; readonly reason: string };

/** Speaks to push gateways. */
export interface GatewayClient {
  /** Sends one notification. Push Gateway API v1.19, `POST /_matrix/push/v1/notify`. */
  notify(url: string, body: JsonObject): Promise<GatewayAnswer>;
  close(): Promise<void>;
}

function rejectedIn(text: string): readonly string[] {
  const answer: unknown = text === '' ? {} : JSON.parse(text);
  const rejected = isJsonObject(answer) ? answer['rejected'] : undefined;
  return Array.isArray(rejected) ? rejected.filter((key) => typeof key === 'string') : [];
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > ANSWER_BYTES_MAX) throw new Error(`the answer has more than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * Makes a client. Users choose the gateways: it connects to none at an address that is not public.
 *
 * @param options `allowPrivateAddresses`: it does all the same
 */
export function createGatewayClient(options: {
  readonly allowPrivateAddresses: boolean;
  readonly lookup: Lookup;
}): GatewayClient {
  const guard = createAddressGuard([], options.allowPrivateAddresses ? EVERYWHERE : []);
  const agent = new Agent({
    connect: createGuardedConnect(guard, options.lookup),
    connections: CONNECTIONS_PER_GATEWAY,
    headersTimeout: SILENCE_MS_MAX,
    bodyTimeout: SILENCE_MS_MAX,
  });
  return {
    async notify(url, body) {
      try {
        const answer = await request(url, {
          dispatcher: agent,
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
        const text = await readText(answer.body);
        if (answer.statusCode < 200 || answer.statusCode > 299)
          return { kind: 'failed', reason: `status ${answer.statusCode}` };
        return { kind: 'taken', rejected: rejectedIn(text) };
      } catch (error) {
        return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
      }
    },
    close: () => agent.destroy(),
  };
}
