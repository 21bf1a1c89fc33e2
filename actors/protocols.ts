import type { AccountDataProtocol } from './account-data/protocol.ts';
import type { AccountsProtocol } from './accounts/protocol.ts';
import type { CachesProtocol } from './caches/protocol.ts';
import type { CommitterProtocol } from './committer/protocol.ts';
import type { DeviceListsProtocol } from './device-lists/protocol.ts';
import type { FederationProtocol } from './federation/protocol.ts';
import type { HttpProtocol } from './http/protocol.ts';
import type { InspectorProtocol } from './inspector/protocol.ts';
import type { PoolProtocol } from './pool/protocol.ts';
import type { PresenceProtocol } from './presence/protocol.ts';
import type { PushRulesProtocol } from './push-rules/protocol.ts';
import type { ReceiptsProtocol } from './receipts/protocol.ts';
import type { RoomsProtocol } from './rooms/protocol.ts';
import type { ToDeviceProtocol } from './to-device/protocol.ts';
import type { TypingProtocol } from './typing/protocol.ts';
import type { ViewsProtocol } from './views/protocol.ts';

/** Every actor that exists once, by name. */
export interface ActorProtocols {
  readonly 'account-data': AccountDataProtocol;
  readonly accounts: AccountsProtocol;
  readonly caches: CachesProtocol;
  readonly committer: CommitterProtocol;
  readonly 'device-lists': DeviceListsProtocol;
  readonly federation: FederationProtocol;
  readonly inspector: InspectorProtocol;
  readonly pool: PoolProtocol;
  readonly presence: PresenceProtocol;
  readonly 'push-rules': PushRulesProtocol;
  readonly receipts: ReceiptsProtocol;
  readonly rooms: RoomsProtocol;
  readonly 'to-device': ToDeviceProtocol;
  readonly typing: TypingProtocol;
}

/** Every actor that exists once per thread: `<actor>@<thread>`. */
export type ThreadActorProtocols = Readonly<Record<`views@${string}`, ViewsProtocol>> &
  Readonly<Record<`http@${string}`, HttpProtocol>>;

/** Every actor by name: what a context's `ref` takes. */
export type ActorMap = ActorProtocols & ThreadActorProtocols;
