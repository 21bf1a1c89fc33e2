import type { JsonObject } from '../kit/json.ts';
import { defineMemoryStream } from './stream.ts';

/** Something for one other server. */
export type FederationRow =
  | {
      readonly kind: 'event';
      readonly destination: string;
      readonly roomId: string;
      readonly eventId: string;
      readonly eventPosition: number;
    }
  | {
      readonly kind: 'edu';
      readonly destination: string;
      readonly type: string;
      readonly content: JsonObject;
      /** A newer EDU of this key replaces an older one; null stands for itself. */
      readonly key: string | null;
    };

/** The outgoing queue to other servers; owned by `federation`, kept until every sender has acknowledged. */
export const federationStream = defineMemoryStream<'federation', FederationRow>({
  name: 'federation',
  letter: null,
  owner: 'federation',
  retention: 'until-acknowledged',
  key: (row) => (row.kind === 'edu' && row.key !== null ? `${row.destination} ${row.type} ${row.key}` : null),
  wakes: () => [],
  invalidates: () => [],
});
