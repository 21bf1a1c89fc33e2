import type { Ask } from '../kit/protocol.ts';

export type ControlProtocol = {
  /** The socket on which it takes commands; null where it cannot listen, which the log explains. */
  'control.read-address': Ask<null, { readonly path: string } | null>;
};
