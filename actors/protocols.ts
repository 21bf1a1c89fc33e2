import type { AccountDataProtocol } from './account-data/protocol.ts';
import type { AccountsProtocol } from './accounts/protocol.ts';
import type { CachesProtocol } from './caches/protocol.ts';
import type { CommitterProtocol } from './committer/protocol.ts';
import type { ControlProtocol } from './control/protocol.ts';
import type { DelayedEventsProtocol } from './delayed-events/protocol.ts';
import type { DeviceListsProtocol } from './device-lists/protocol.ts';
import type { FederationProtocol } from './federation/protocol.ts';
import type { FederationReceiverProtocol } from './federation-receiver/protocol.ts';
import type { FederationSenderProtocol } from './federation-sender/protocol.ts';
import type { HttpProtocol } from './http/protocol.ts';
import type { InspectorProtocol } from './inspector/protocol.ts';
import type { KeyBackupProtocol } from './key-backup/protocol.ts';
import type { KeysProtocol } from './keys/protocol.ts';
import type { MediaProtocol } from './media/protocol.ts';
import type { PolicyServersProtocol } from './policy-servers/protocol.ts';
import type { PoolProtocol } from './pool/protocol.ts';
import type { PresenceProtocol } from './presence/protocol.ts';
import type { PreviewsProtocol } from './previews/protocol.ts';
import type { PushProtocol } from './push/protocol.ts';
import type { PushSenderProtocol } from './push-sender/protocol.ts';
import type { PushRulesProtocol } from './push-rules/protocol.ts';
import type { ReceiptsProtocol } from './receipts/protocol.ts';
import type { RemoteDevicesProtocol } from './remote-devices/protocol.ts';
import type { RemoteRoomsProtocol } from './remote-rooms/protocol.ts';
import type { ReportsProtocol } from './reports/protocol.ts';
import type { RoomsProtocol } from './rooms/protocol.ts';
import type { SearchProtocol } from './search/protocol.ts';
import type { ServerKeysProtocol } from './server-keys/protocol.ts';
import type { ServerNoticesProtocol } from './server-notices/protocol.ts';
import type { ThreadSubscriptionsProtocol } from './thread-subscriptions/protocol.ts';
import type { ToDeviceProtocol } from './to-device/protocol.ts';
import type { TypingProtocol } from './typing/protocol.ts';
import type { UserDirectoryProtocol } from './user-directory/protocol.ts';
import type { ViewsProtocol } from './views/protocol.ts';

/** Every actor that exists once, by name. */
export interface ActorProtocols {
  readonly 'account-data': AccountDataProtocol;
  readonly accounts: AccountsProtocol;
  readonly caches: CachesProtocol;
  readonly committer: CommitterProtocol;
  readonly control: ControlProtocol;
  readonly 'delayed-events': DelayedEventsProtocol;
  readonly 'device-lists': DeviceListsProtocol;
  readonly federation: FederationProtocol;
  readonly 'federation-receiver': FederationReceiverProtocol;
  readonly 'federation-sender': FederationSenderProtocol;
  readonly inspector: InspectorProtocol;
  readonly 'key-backup': KeyBackupProtocol;
  readonly keys: KeysProtocol;
  readonly media: MediaProtocol;
  readonly 'policy-servers': PolicyServersProtocol;
  readonly pool: PoolProtocol;
  readonly presence: PresenceProtocol;
  readonly previews: PreviewsProtocol;
  readonly push: PushProtocol;
  readonly 'push-sender': PushSenderProtocol;
  readonly 'push-rules': PushRulesProtocol;
  readonly receipts: ReceiptsProtocol;
  readonly 'remote-devices': RemoteDevicesProtocol;
  readonly 'remote-rooms': RemoteRoomsProtocol;
  readonly reports: ReportsProtocol;
  readonly rooms: RoomsProtocol;
  readonly search: SearchProtocol;
  readonly 'server-keys': ServerKeysProtocol;
  readonly 'server-notices': ServerNoticesProtocol;
  readonly 'thread-subscriptions': ThreadSubscriptionsProtocol;
  readonly 'to-device': ToDeviceProtocol;
  readonly typing: TypingProtocol;
  readonly 'user-directory': UserDirectoryProtocol;
}

/** Every actor that exists once per thread: `<actor>@<thread>`. */
export type ThreadActorProtocols = Readonly<Record<`views@${string}`, ViewsProtocol>> &
  Readonly<Record<`http@${string}`, HttpProtocol>>;

/** Every actor by name: what a context's `ref` takes. */
export type ActorMap = ActorProtocols & ThreadActorProtocols;
