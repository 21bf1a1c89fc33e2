import type { Refusal } from '../../src/matrix/refusal.ts';
import type { Ask } from '../kit/protocol.ts';

/** A device and its new access token; the token itself is only ever seen here. */
export interface LoggedIn {
  readonly kind: 'logged-in';
  readonly userId: string;
  readonly deviceId: string;
  readonly accessToken: string;
}

export type AccountsProtocol = {
  /** Makes a device (or takes over the one named) with a new access token. The caller has checked the credentials. */
  'accounts.log-in': Ask<
    {
      readonly userId: string;
      readonly deviceId: string | null;
      readonly initialDeviceDisplayName: string | null;
    },
    LoggedIn | Refusal
  >;
};
