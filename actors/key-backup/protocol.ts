import type { NewSession } from '../../db/key-backup/session.ts';
import type { BackupStanding } from '../../db/key-backup/writer.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { Ask } from '../kit/protocol.ts';

/** Keys were stored or deleted. */
export interface SessionsChanged extends BackupStanding {
  readonly kind: 'changed';
}

/** Client-Server API v1.19, "Server-side key backups". */
export type KeyBackupProtocol = {
  /** Makes a version, which is the current one from then on. Refused with M_FORBIDDEN (too many versions). */
  'key-backup.create-version': Ask<
    {
      readonly userId: string;
      readonly algorithm: string;
      /** JSON text. */
      readonly authData: string;
    },
    { readonly kind: 'created'; readonly version: number } | Refusal
  >;
  /** Replaces the data of a version. Refused with M_NOT_FOUND, M_INVALID_PARAM (another algorithm). */
  'key-backup.update-version': Ask<
    {
      readonly userId: string;
      readonly version: number;
      readonly algorithm: string;
      readonly authData: string;
    },
    { readonly kind: 'updated' } | Refusal
  >;
  /** Deletes a version with its keys; one that was deleted before is none the worse. Refused with M_NOT_FOUND. */
  'key-backup.delete-version': Ask<
    { readonly userId: string; readonly version: number },
    { readonly kind: 'deleted' } | Refusal
  >;
  /**
   * Stores keys in the current version, each session once. A key that is worse than the one that is there is passed over. Refused with
   * M_WRONG_ROOM_KEYS_VERSION (with `current_version`), M_NOT_FOUND, M_TOO_LARGE.
   */
  'key-backup.store-sessions': Ask<
    { readonly userId: string; readonly version: number; readonly sessions: readonly NewSession[] },
    SessionsChanged | Refusal
  >;
  /** Deletes keys of any version: of a session, of a room (`sessionId` null), or all (`roomId` null). Refused with M_NOT_FOUND. */
  'key-backup.delete-sessions': Ask<
    {
      readonly userId: string;
      readonly version: number;
      readonly roomId: string | null;
      readonly sessionId: string | null;
    },
    SessionsChanged | Refusal
  >;
  /** Deletes all versions, with their keys, of a user whose account has ended for ever. */
  'key-backup.forget-user': Ask<{ readonly userId: string }, { readonly kind: 'forgotten' } | Refusal>;
};
