import type { Refusal } from '../../src/matrix/refusal.ts';
import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import type { Ask } from '../kit/protocol.ts';

export type DeviceListsProtocol = StreamOwnerProtocol & {
  /**
   * Devices of a user came, went or changed: one position each. A cross-signing key that changed stands among them by its public key,
   * which is no device's id. Users of other servers are named by `remote-devices`; of those no other server is told.
   */
  'device-lists.record-changes': Ask<
    { readonly userId: string; readonly deviceIds: readonly string[] },
    { readonly kind: 'recorded'; readonly position: number } | Refusal
  >;
  /** A server has been told of all changes up to this position. */
  'device-lists.delete-sent': Ask<
    { readonly destination: string; readonly upTo: number },
    { readonly kind: 'deleted' } | Refusal
  >;
};
