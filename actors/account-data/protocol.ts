import type { JsonObject } from '../../src/kit/json.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import type { Ask, Tell } from '../kit/protocol.ts';
import type { Forgotten } from '../rooms/protocol.ts';

export interface AccountDataStored {
  readonly kind: 'stored';
  readonly position: number;
}

export type AccountDataProtocol = StreamOwnerProtocol & {
  /** Replaces one account data event, global (`roomId` null) or of a room. Types that the server manages are the caller's to refuse. */
  'account-data.set-content': Ask<
    {
      readonly userId: string;
      readonly roomId: string | null;
      readonly type: string;
      readonly content: JsonObject;
    },
    AccountDataStored | Refusal
  >;
  /**
   * Deletes one account data event: its content is empty from then on, which is what clients that were away are told. MSC3391. One that is not
   * there, or deleted already, stays so, and nobody is told again.
   */
  'account-data.delete-content': Ask<
    { readonly userId: string; readonly roomId: string | null; readonly type: string },
    AccountDataStored | Refusal
  >;
  /** Sets (`content`) or deletes (null) one tag of a room: `m.tag` is changed here, so that two devices do not overwrite each other. */
  'account-data.set-tag': Ask<
    {
      readonly userId: string;
      readonly roomId: string;
      readonly tag: string;
      readonly content: JsonObject | null;
    },
    AccountDataStored | Refusal
  >;
  /** Devices are gone: deletes what their user has set for them, as `account-data.delete-content` does. */
  'account-data.forget-devices': Ask<
    { readonly userId: string; readonly deviceIds: readonly string[] },
    /** `position`: null when there was nothing. */
    { readonly kind: 'forgotten'; readonly position: number | null } | Refusal
  >;
  /** Deletes some account data of a room that is deleted, of all users. Asked again until there are no more. */
  'account-data.forget-room': Ask<{ readonly roomId: string }, Forgotten | Refusal>;
  /** Deletes some account data of a user who is erased, and the user's filters. Asked again until there are no more. */
  'account-data.forget-user': Ask<
    { readonly userId: string },
    { readonly kind: 'forgotten'; readonly isMore: boolean } | Refusal
  >;
  /** Stores a filter and gives its id; the same filter again gives the same id. */
  'account-data.store-filter': Ask<
    { readonly userId: string; readonly filter: JsonObject },
    { readonly kind: 'stored'; readonly filterId: string } | Refusal
  >;
  /**
   * What a user has said of a room holds of the room that replaces it, too: its tags, and with whom it is a direct chat (`m.direct`). Tags that
   * the user has given the new room stay as they are, so that it may be told twice.
   */
  'account-data.copy-room': Tell<{
    readonly userId: string;
    readonly fromRoomId: string;
    readonly toRoomId: string;
  }>;
};
