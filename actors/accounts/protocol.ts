import type { Refusal } from '../../src/matrix/refusal.ts';
import type { Ask, Tell } from '../kit/protocol.ts';

/** A position that a gateway's view is to reach before the write that made it is answered. */
export interface StreamMark {
  readonly stream: string;
  readonly position: number;
}

/** A device and its new tokens; the tokens themselves are only ever seen here. */
export interface LoggedIn {
  readonly kind: 'logged-in';
  readonly userId: string;
  readonly deviceId: string;
  readonly accessToken: string;
  /** Null: the access token cannot be refreshed. */
  readonly refreshToken: string | null;
  /** How long the access token lives; null: until it is revoked. */
  readonly expiresInMs: number | null;
  /** Where the effects of the login stand. */
  readonly marks: readonly StreamMark[];
}

/** A new account. */
export interface Registered {
  readonly kind: 'registered';
  readonly userId: string;
  /** Null when no device was wanted. */
  readonly login: LoggedIn | null;
}

/** A change that is committed. */
export interface AccountChanged {
  readonly kind: 'changed';
  /** Where its effects stand: revocations on `caches`, devices on `device-lists`, member events on `events`. */
  readonly marks: readonly StreamMark[];
}

/** The device that a login asks for. */
export interface WantedDevice {
  /** Null: a new one with a generated id. */
  readonly deviceId: string | null;
  /** Ignored when the device exists. */
  readonly initialDeviceDisplayName: string | null;
  /** The client can refresh: its access token ends, and comes with a refresh token. False when absent. */
  readonly isRefreshable?: boolean;
}

/** A token that passes from one program to another, seen only here. */
export interface IssuedToken {
  readonly kind: 'issued';
  readonly token: string;
  readonly expiresInMs: number;
}

/** What a session of user-interactive authentication is good for, and nothing else. */
export interface AuthBinding {
  /** Method and path of the request. */
  readonly endpoint: string;
  /** Who asks, or null when nobody is logged in. */
  readonly userId: string | null;
  /** Hash of the request's parameters without `auth`; null when it has none, as a request that only asks for the flows. */
  readonly parametersHash: string | null;
}

/** Alternatives, each a list of the stages that it takes. */
export type AuthFlows = readonly (readonly string[])[];

/** All stages of a flow are completed. The session has ended: the operation may be tried once. */
export interface AuthPassed {
  readonly kind: 'passed';
  /** The token of a completed `m.login.registration_token`. */
  readonly registrationToken: string | null;
}

/** What is still to be done. */
export interface AuthChallenge {
  readonly kind: 'challenge';
  readonly session: string;
  readonly flows: AuthFlows;
  readonly completed: readonly string[];
  /**
   * `session`: the one named is unknown, expired or bound to something else, and this is a new one. `registration-token`: the token
   * is not (any longer) valid.
   */
  readonly problem: 'session' | 'registration-token' | null;
}

export type AccountsProtocol = {
  /**
   * Makes an account and, unless `device` is null, logs it in, in one write. The caller has checked who may register and has hashed the
   * password. The account becomes an admin's when `isAdmin` or the registration token says so.
   * Refused with M_USER_IN_USE, M_FORBIDDEN (registration token).
   */
  'accounts.register': Ask<
    {
      /** Checked against the grammar of new user ids; null: generated. */
      readonly userId: string | null;
      /** PHC text; null: no password login. */
      readonly passwordHash: string | null;
      readonly isAdmin: boolean;
      /** False when absent. */
      readonly isGuest?: boolean;
      readonly displayname: string | null;
      /** One use of it is taken in the same write. */
      readonly registrationToken: string | null;
      readonly device: WantedDevice | null;
    },
    Registered | Refusal
  >;
  /**
   * Makes a device (or takes over the one named, whose tokens are revoked) with a new access token. The caller has checked the
   * credentials. Refused with M_USER_DEACTIVATED (also when there is no such account), M_FORBIDDEN (too many devices, or a login token that
   * is used or has expired).
   */
  'accounts.log-in': Ask<
    {
      readonly userId: string;
      /** The hash of a login token of this user, which is used up in the same write. */
      readonly loginTokenHash?: string;
    } & WantedDevice,
    LoggedIn | Refusal
  >;
  /**
   * Gives a device new tokens for its refresh token, which stays good until one of them is used. Refused with M_UNKNOWN_TOKEN,
   * M_USER_LOCKED. Client-Server API v1.19, "Refreshing access tokens".
   */
  'accounts.refresh': Ask<{ readonly userId: string; readonly refreshHash: string }, LoggedIn | Refusal>;
  /** An access token that came from a refresh is used for the first time: the refresh token behind it is good for nothing any more. */
  'accounts.note-token-use': Tell<{ readonly userId: string; readonly tokenHash: string }>;
  /** Makes a token for one login, or one that tells another service who the user is. Refused when storage cannot be written. */
  'accounts.issue-token': Ask<
    { readonly userId: string; readonly purpose: 'login' | 'openid' },
    IssuedToken | Refusal
  >;
  /**
   * Locks or suspends an account, or ends that. The caller has checked who may. Refused with M_NOT_FOUND when there is no such account, or
   * it is deactivated.
   */
  'accounts.moderate': Ask<
    { readonly userId: string; readonly measure: 'lock' | 'suspend'; readonly isOn: boolean },
    AccountChanged | Refusal
  >;
  /**
   * Makes a guest an ordinary user with a password and, unless `device` is null, logs in anew; the guest's device and its token end. The
   * caller has checked the guest's token. Refused with M_USER_DEACTIVATED when this is no guest (any more), M_FORBIDDEN (registration token).
   */
  'accounts.upgrade-guest': Ask<
    {
      readonly userId: string;
      readonly passwordHash: string;
      readonly registrationToken: string | null;
      readonly device: WantedDevice | null;
    },
    Registered | Refusal
  >;
  /** Deletes devices with their access tokens; those that do not exist are passed over. */
  'accounts.delete-devices': Ask<
    { readonly userId: string; readonly deviceIds: readonly string[] },
    AccountChanged | Refusal
  >;
  /** Deletes all devices of a user with their access tokens: logs out everywhere. */
  'accounts.delete-all-devices': Ask<{ readonly userId: string }, AccountChanged | Refusal>;
  /**
   * Makes a device without a token, which stands for its user while no other is at hand, in the place of the one before. Its keys are the
   * caller's to store, afterwards. MSC3814. Refused with M_FORBIDDEN (the device is logged in, or there are too many).
   */
  'accounts.store-dehydrated-device': Ask<
    {
      readonly userId: string;
      readonly deviceId: string;
      readonly displayName: string | null;
      /** JSON text. */
      readonly deviceData: string;
    },
    AccountChanged | Refusal
  >;
  /** What is held of devices that are gone is let go of, where a life before this one could not see to it. */
  'accounts.forget-departed': Tell<{ readonly userId: string }>;
  /** Names a device, or takes its name away. Refused with M_NOT_FOUND. */
  'accounts.rename-device': Ask<
    { readonly userId: string; readonly deviceId: string; readonly displayName: string | null },
    AccountChanged | Refusal
  >;
  /** Stores a new password. Refused with M_USER_DEACTIVATED. */
  'accounts.change-password': Ask<
    {
      readonly userId: string;
      readonly passwordHash: string;
      /** Deletes all devices but this one; null: deletes none. */
      readonly onlyDeviceToKeep: string | null;
      /** Deletes all devices, whatever `onlyDeviceToKeep` says: for who proved with the old password alone who is asking. */
      readonly deletesAllDevices?: boolean;
    },
    AccountChanged | Refusal
  >;
  /**
   * Ends an account for ever: its password, devices and tokens go, its rooms are left by and by, its name stays taken. `erase`: its profile
   * and account data go too, and whoever comes later is served its events without content.
   */
  'accounts.deactivate': Ask<{ readonly userId: string; readonly erase: boolean }, AccountChanged | Refusal>;
  /**
   * Sets (JSON text) or deletes (null) one profile field; `displayname` and `avatar_url` go into the user's member events.
   * Refused with M_PROFILE_TOO_LARGE, M_USER_DEACTIVATED.
   */
  'accounts.set-profile-field': Ask<
    {
      readonly userId: string;
      readonly field: string;
      readonly valueJson: string | null;
      /** True: the member events stay as they are. MSC4069. False when absent. */
      readonly staysOutOfRooms?: boolean;
    },
    AccountChanged | Refusal
  >;
  /** A device was used. Coalesced: written once in a while. */
  'accounts.note-use': Tell<{
    readonly userId: string;
    readonly deviceId: string;
    readonly ip: string;
    readonly userAgent: string;
  }>;
  /**
   * One step of user-interactive authentication: finds the session, or opens one when none is named, and marks a stage as completed.
   * Client-Server API v1.19, "User-Interactive Authentication API".
   */
  'accounts.advance-auth': Ask<
    {
      readonly session: string | null;
      readonly binding: AuthBinding;
      /** For a new session; an existing one keeps its own. */
      readonly flows: AuthFlows;
      /**
       * The stage that the caller has checked; null when there was none or it failed. A registration token is checked here, because its
       * uses are counted here.
       */
      readonly stage:
        | { readonly type: 'm.login.registration_token'; readonly token: string }
        | { readonly type: 'm.login.dummy' | 'm.login.password' | 'm.login.terms' }
        | null;
    },
    AuthPassed | AuthChallenge
  >;
  /**
   * Completes a stage of a session from a web page: who knows the session's name may. The client that opened it then asks again with
   * nothing but the session. Client-Server API v1.19, "Fallback".
   */
  'accounts.complete-stage': Ask<
    {
      readonly session: string;
      readonly stage:
        | { readonly type: 'm.login.registration_token'; readonly token: string }
        | { readonly type: 'm.login.dummy' | 'm.login.terms' };
    },
    { readonly outcome: 'completed' | 'unknown-session' | 'not-asked-for' | 'wrong-token' }
  >;
  /** May this registration token be used now? Uses that are pending count. */
  'accounts.check-registration-token': Ask<{ readonly token: string }, { readonly valid: boolean }>;
  /**
   * Makes a registration token for ordinary users: `usesAllowed` null means as often as wanted, `expiresTs` (milliseconds since the Unix epoch)
   * null never. Refused when storage cannot be written.
   */
  'accounts.create-registration-token': Ask<
    { readonly usesAllowed: number | null; readonly expiresTs: number | null },
    { readonly kind: 'created'; readonly token: string } | Refusal
  >;
  /**
   * The registration token of the first admin: made when there is no account at all, the same until an admin exists; null afterwards.
   * Refused when storage cannot be written.
   */
  'accounts.first-token': Ask<null, { readonly token: string } | null | Refusal>;
  /** A nonce for one registration by shared secret. */
  'accounts.issue-nonce': Ask<null, { readonly nonce: string }>;
  /** Takes a nonce: true once for each that was issued and has not expired. */
  'accounts.take-nonce': Ask<{ readonly nonce: string }, { readonly known: boolean }>;
};
