import type { JsonObject } from '../../src/kit/json.ts';
import type { StreamSubscriberProtocol } from '../../src/streams/message.ts';
import type { Ask, Tell } from '../kit/protocol.ts';

/** What is known of a remote user's devices: as `GET /_matrix/federation/v1/user/devices/{userId}` gives it. */
export interface RemoteDevices {
  readonly userId: string;
  readonly deviceKeys: Readonly<Record<string, JsonObject>>;
  readonly masterKey: JsonObject | null;
  readonly selfSigningKey: JsonObject | null;
}

/** Keeps the device lists of remote users who share a room with local ones. It follows the events stream to see who shares none any more. */
export type RemoteDevicesProtocol = StreamSubscriberProtocol & {
  /** An `m.device_list_update` EDU. `ignored`: it is none, is not about a user of `origin`, or that user shares no room with anybody here. */
  'remote-devices.receive-update': Ask<
    { readonly origin: string; readonly content: JsonObject },
    { readonly kind: 'taken' | 'ignored' }
  >;
  /** An `m.signing_key_update` EDU. */
  'remote-devices.receive-signing-keys': Ask<
    { readonly origin: string; readonly content: JsonObject },
    { readonly kind: 'taken' | 'ignored' }
  >;
  /**
   * The devices of users of other servers: from here while the list is followed, otherwise from there. `failures` by server name; of users
   * whose server did not answer, what was known before is among `users`.
   */
  'remote-devices.find-devices': Ask<
    { readonly userIds: readonly string[]; readonly timeoutMs: number },
    { readonly users: readonly RemoteDevices[]; readonly failures: Readonly<Record<string, JsonObject>> }
  >;
  /** A remote user has left the last room that they shared with us. The actor finds that out itself; who knows it earlier may say so. */
  'remote-devices.forget-user': Tell<{ readonly userId: string }>;
};
