import type { JsonObject } from '../../src/kit/json.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import type { Ask } from '../kit/protocol.ts';

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
  /** Stores a filter and gives its id; the same filter again gives the same id. */
  'account-data.store-filter': Ask<
    { readonly userId: string; readonly filter: JsonObject },
    { readonly kind: 'stored'; readonly filterId: string } | Refusal
  >;
};
