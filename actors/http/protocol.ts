import type { ListenAddress } from '../../src/config/config.ts';
import type { Ask } from '../kit/protocol.ts';

/** Where a gateway really listens: ports are never 0. */
export interface HttpAddresses extends ListenAddress {
  /** With TLS, for other servers; null where a proxy brings that. */
  readonly federation: ListenAddress | null;
}

/** The HTTP front of one gateway thread. */
export type HttpProtocol = {
  /** The addresses that it listens on. */
  'http.read-addresses': Ask<null, HttpAddresses>;
};
