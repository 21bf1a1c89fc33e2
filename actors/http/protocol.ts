import type { Ask } from '../kit/protocol.ts';

/** The HTTP front of one gateway thread. */
export type HttpProtocol = {
  /** The addresses that it listens on. */
  'http.read-addresses': Ask<null, { readonly host: string; readonly port: number }>;
};
